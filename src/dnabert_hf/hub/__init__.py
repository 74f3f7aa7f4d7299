"""Repositories of the Hub: other people's converted to ours, ours to stock BERT."""
