"""Which decoder feeds the model, and how long it is kept."""

from collections.abc import Iterator
from contextlib import contextmanager

from paddle_impl.config.engine import DECODERS
from paddle_impl.decoding.decoder import Decoder
from paddle_impl.decoding.native_decoder import NativeDecoder, refusal
from paddle_impl.decoding.paddle_decoder import PaddleDecoder


def make_decoder(model, rows: int, positions: int, decoder: str = "auto") -> Decoder:
    """Make a decoder of the kind that `decoder` names.

    paddle: plain Paddle, on any device. native: the C++ step, for whole models on a CPU. auto:
    native where it can serve the model, else paddle. ValueError where the model cannot be served.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
    if decoder == "native" or (decoder == "auto" and not refusal(model)):
        return NativeDecoder(model, rows, positions)
    return PaddleDecoder(model, rows, positions)


class ReusedDecoder:
    """Lends decoders of a model whose weights do not change.

    A NativeDecoder copies the weights when it is made. It is kept and lent again, until a borrower
    needs more rows or positions. A PaddleDecoder copies nothing, and every borrower gets a new one.
    """

    def __init__(self, model, decoder: str = "auto"):
        self._model, self._kind = model, decoder
        self._kept: NativeDecoder | None = None

    @contextmanager
    def lent(self, rows: int, positions: int) -> Iterator[Decoder]:
        """A decoder with at least that many rows, and positions where the model has them.

        Nobody else uses it meanwhile: a second borrower gets a decoder of its own. After an error
        or an interruption in the `with` block the decoder is not used again.
        """
        positions = min(positions, self._model.config.n_positions)
        decoder, self._kept = self._kept, None
        if decoder is not None and (decoder.rows < rows or decoder.positions < positions):
            rows = max(rows, decoder.rows)
            # Twice what is needed: a conversation that grows does not need a new one each time.
            positions = decoder.positions if decoder.positions >= positions else 2 * positions
            decoder = None  # freed before the next one is made, which would need as much memory
        if decoder is None:
            decoder = make_decoder(self._model, rows, positions, self._kind)
        yield decoder
        if isinstance(decoder, NativeDecoder):
            self._kept = decoder
