"""What happens before Paddle is imported: its settings, the launcher's processes, signals."""
