"""From logits to text: cache, filters, sampling, beam search, batches of prompts."""
