"""Genomes, intervals on them, annotation and variants."""
