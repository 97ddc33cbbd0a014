"""One run of create_pretraining_data: its flags, inputs, batches, checkpoints and summary."""
