"""Hyperparameter search over fine-tuning runs."""
