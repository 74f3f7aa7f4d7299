"""Genome scans: a classifier on every window of a genome."""
