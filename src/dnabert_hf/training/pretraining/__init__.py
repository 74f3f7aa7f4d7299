"""Pretraining on a genome."""
