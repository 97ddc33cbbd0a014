"""What feeds tokens to a model and keeps what it remembers of them: a cache made once.

Rows R are the sequences that the cache has room for, positions P the tokens of each; N rows are
fed at a time. V is the vocabulary of the model, its padding included.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Decoder(Protocol):
    """A row is emptied by `prefill`, continued by `step`; rows do not change each other.

    Logits come as numpy float32, of a float64 model as float64. ValueError past the last position.
    """

    rows: int
    positions: int
    lengths: np.ndarray  # int64 (R,): tokens that each row holds

    def prefill(self, row: int, prompt: Sequence[int]) -> np.ndarray:
        """Empty the row and feed it the prompt: logits after its last token, (V,)."""

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """Feed each of N different rows one token: logits after it, (N, V)."""

    def copy(self, source: int, target: int) -> None:
        """The target row holds what the source holds.

        Both stay valid and may go on differently. Rows that are copied from each other, directly
        or by way of others, go on in the same steps or never again, until they are emptied together.
        """


def check_room(decoder: Decoder, row: int, new: int) -> None:
    """ValueError where `new` more tokens exceed the row's positions."""
    total = int(decoder.lengths[row]) + new
    if total > decoder.positions:
        raise ValueError(
            f"{total} tokens exceed the {decoder.positions} positions of the key-value cache"
        )
