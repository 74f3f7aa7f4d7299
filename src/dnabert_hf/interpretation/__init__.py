"""DNABERT-viz: attention, attribution, and the motifs behind them."""
