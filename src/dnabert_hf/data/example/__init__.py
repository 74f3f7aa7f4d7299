"""A small simulated genome, and the files that a user would have of it."""
