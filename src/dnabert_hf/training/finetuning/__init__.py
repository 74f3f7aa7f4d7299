"""Fine-tuning on a labelled dataset."""
