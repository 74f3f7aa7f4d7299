"""Position weight matrices: their sites, their likeness to each other, blends of two."""
