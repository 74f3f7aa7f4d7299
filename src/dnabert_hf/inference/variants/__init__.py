"""Effects of variants and of all single-base mutations."""
