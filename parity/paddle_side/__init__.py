"""The side under test: torch_side's functions, written with paddle_impl. It never imports torch."""
