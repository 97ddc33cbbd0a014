"""The proof that paddle_impl computes what PyTorch computes: `python -m parity`."""
