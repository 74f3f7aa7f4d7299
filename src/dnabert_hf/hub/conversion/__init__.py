"""Conversion of original DNABERT checkpoints."""
