"""What to leave out of a corpus: filters of single documents, and of duplicates."""
