"""Other programs' weights in and out, by name and shape."""
