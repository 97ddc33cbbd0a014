"""From gradients to new weights: AdamW, clipping, the schedule, precision, sharding."""
