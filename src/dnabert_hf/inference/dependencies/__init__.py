"""Nucleotide dependencies: what one base of a sequence tells a model of another."""
