"""The page with a box to paste a sequence into, and what answers it."""
