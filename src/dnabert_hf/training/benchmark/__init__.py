"""Benchmarks: suites of tasks, models and seeds."""
