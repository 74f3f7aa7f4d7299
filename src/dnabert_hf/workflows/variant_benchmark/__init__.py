"""Benchmarks of variants: scores of models beside simple ones, against known labels."""
