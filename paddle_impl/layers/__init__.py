"""Layers that are split between processes, and what the model's attention sees in a row."""
