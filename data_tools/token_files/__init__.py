"""Token files: written, opened, checked, joined."""
