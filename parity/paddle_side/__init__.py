"""The same files and functions as torch_side, on paddle_impl. Never imports torch."""
