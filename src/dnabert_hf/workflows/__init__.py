"""Workflows that put training and inference together."""
