"""What feeds tokens to a model and keeps the keys and values of them: a key-value cache.

The cache has room for a number of rows, which are sequences, and for a number of positions in each,
which are its tokens. N rows are fed at a time. V is the width of the logits, the padding of the
vocabulary included.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Decoder(Protocol):
    """`prefill` begins a row, `step` continues rows; rows do not change each other.

    Logits are numpy arrays of float32; those of a float64 model are float64. A call that needs more
    positions than there are raises a ValueError. One decoder serves any number of batches, one
    after the other: whatever a row held before, `prefill` begins it anew.
    """

    rows: int
    positions: int  # for the prompt and the new tokens together
    vocab_size: int  # a row may be fed the ids below it; V is not smaller

    def prefill(self, row: int, prompt: Sequence[int]) -> np.ndarray:
        """Empty the row, feed it the prompt and return the logits after the last token, (V,)."""

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """Feed each of N different rows one token and return the logits after it, (N, V).

        A row that is not named cannot be continued later, unless it was filled or copied since the
        last step.
        """

    def copy(self, source: int, target: int) -> None:
        """Let the target row hold what the source row holds. Both may be continued, differently.

        Rows that were copied from each other, directly or by way of others, are fed in the same
        steps; one that a step leaves out cannot be continued later.
        """


def check_room(held: int, new: int, positions: int) -> None:
    """ValueError where a row that holds `held` tokens has no room for `new` more."""
    if held + new > positions:
        raise ValueError(
            f"{held + new} tokens exceed the {positions} positions of the key-value cache"
        )
