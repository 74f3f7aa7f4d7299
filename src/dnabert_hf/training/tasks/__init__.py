"""Labelled tasks and their presets."""
