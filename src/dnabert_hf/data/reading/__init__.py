"""Sequence files as streams of records."""
