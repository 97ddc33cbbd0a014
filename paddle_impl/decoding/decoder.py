"""What feeds tokens to a model and keeps what it remembers of them: a key-value cache.

Rows R are the sequences that the cache has room for, positions P the tokens of each; N rows are
fed at a time. V is the vocabulary of the model, its padding included.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Decoder(Protocol):
    """A row is filled by `prefill`, continued by `step`; rows do not change each other.

    Logits come as numpy float32, of a float64 model as float64. ValueError past the last position.
    """

    rows: int
    positions: int

    def prefill(self, row: int, prompt: Sequence[int]) -> np.ndarray:
        """Empty the row and feed it the prompt: logits after its last token, (V,)."""

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """Feed each of N different rows one token: logits after it, (N, V).

        Rows that are not named are over, but for those that were filled since the last step.
        """

    def copy(self, source: int, target: int) -> None:
        """The target row holds what the source holds; both may go on, differently.

        Rows that are copied from each other, directly or by way of others, go on in the same steps
        or never again.
        """


def check_room(held: int, new: int, positions: int) -> None:
    """ValueError where a row that holds `held` tokens has no room for `new` more."""
    if held + new > positions:
        raise ValueError(
            f"{held + new} tokens exceed the {positions} positions of the key-value cache"
        )
