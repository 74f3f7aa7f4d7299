"""In-silico experiments: sequences edited on purpose, and what a model makes of them."""
