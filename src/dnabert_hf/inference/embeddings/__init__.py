"""Embeddings at work: sets of them in files, and the nearest of each."""
