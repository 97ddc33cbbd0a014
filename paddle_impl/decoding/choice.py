"""Which decoder feeds the model."""

from paddle_impl.decoding.decoder import Decoder
from paddle_impl.decoding.paddle_decoder import PaddleDecoder

DECODERS = ("auto", "paddle", "native")


def make_decoder(model, rows: int, positions: int, decoder: str = "auto") -> Decoder:
    """paddle: plain Paddle, everywhere. native: the C++ step, for whole models on a CPU.

    auto: native where it can, else paddle. ValueError where native is asked for and cannot.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
    return PaddleDecoder(model, rows, positions)
