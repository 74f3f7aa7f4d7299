"""DNABERT-viz: what the model looks at, and the motifs behind it."""
