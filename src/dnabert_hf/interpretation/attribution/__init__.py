"""Scores of single bases: attention, gradients, occlusion."""
