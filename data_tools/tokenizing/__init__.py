"""Behind tokenizer.py: reading and training BPE, the fast encoder, Chinese."""
