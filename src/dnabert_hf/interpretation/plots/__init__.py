"""Plots of scores, attention, motifs and mutations."""
