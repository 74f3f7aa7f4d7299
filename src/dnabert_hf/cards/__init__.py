"""Model cards of trained models."""
