"""Texts with a label each: read from tables and JSON lines, balanced, split, and encoded."""
