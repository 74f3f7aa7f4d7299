"""Repositories of the Hugging Face Hub: what goes there and what comes from there."""
