"""Counts of k-mers."""
