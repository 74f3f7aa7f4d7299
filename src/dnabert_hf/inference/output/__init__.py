"""Output files, their formats and their parts."""
