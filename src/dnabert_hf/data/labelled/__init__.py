"""Labelled datasets, and checks of them."""
