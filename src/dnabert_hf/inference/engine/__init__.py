"""The engine: a checkpoint, its device and precision, batches and shards."""
