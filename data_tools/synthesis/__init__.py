"""Records for instruction tuning and for preferences, written by a model behind a server."""
