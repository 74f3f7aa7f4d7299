"""Motifs behind the scores: search, comparison, report."""
