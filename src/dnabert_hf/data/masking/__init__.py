"""Masked language modelling: segments, masks and baselines."""
