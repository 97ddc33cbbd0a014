"""Everything around a training step, whatever the task."""
