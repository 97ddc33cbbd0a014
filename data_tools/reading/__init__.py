"""Input paths -> raw texts: which files, in which order, and what is in them."""
