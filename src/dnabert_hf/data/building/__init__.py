"""Labelled datasets built from a genome."""
