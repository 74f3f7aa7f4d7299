"""Counts of k-mers: the regression that a model is to beat, and whether classes have a strand."""
