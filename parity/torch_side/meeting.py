"""One process: torch has nobody to meet. Its paddle_side runs several as threads."""
