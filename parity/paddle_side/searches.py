"""Nothing to restate: the searches themselves are paddle_impl's. Its torch_side spells them out."""
