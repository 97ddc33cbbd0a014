"""Dataclasses behind every flag, and the model registry. Standard library only."""
