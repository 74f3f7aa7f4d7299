"""Sequences designed for a model: edited step by step, within limits, and looked at by others."""
