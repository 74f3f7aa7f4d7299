"""Repositories that load without this package, as stock BERT."""
