"""The dataclasses that declare all flags, and the model registry. Standard library only."""
