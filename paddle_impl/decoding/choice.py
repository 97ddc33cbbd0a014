"""Which decoder feeds the model."""

from paddle_impl.config.engine import DECODERS
from paddle_impl.decoding.decoder import Decoder
from paddle_impl.decoding.native_decoder import NativeDecoder, refusal
from paddle_impl.decoding.paddle_decoder import PaddleDecoder


def make_decoder(model, rows: int, positions: int, decoder: str = "auto") -> Decoder:
    """paddle: plain Paddle, everywhere. native: the C++ step, for whole models on a CPU.

    auto: native where it can, else paddle. ValueError where native is asked for and cannot.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
    if decoder == "native" or (decoder == "auto" and not refusal(model)):
        return NativeDecoder(model, rows, positions)
    return PaddleDecoder(model, rows, positions)
