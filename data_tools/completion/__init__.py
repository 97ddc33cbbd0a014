"""Data for fine-tuning a model to complete source code: made from files, and read for training."""
