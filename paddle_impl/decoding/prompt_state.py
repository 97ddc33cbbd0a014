"""The state of one prompt while it is continued: what every strategy gets and gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Continuation:
    """One continuation of a prompt.

    token_ids: the new tokens, without the end token. score: the mean log-probability of all chosen
    tokens, the end token included; of a beam search the beam's score. finish_reason: "eos" for an
    end token, "stop" for a stop string, which token_ids still contain, or "length". text: cut
    before the stop string; None without a tokenizer.
    """

    token_ids: list[int]
    score: float
    finish_reason: str
    text: str | None = None


@dataclass(frozen=True)
class Move:
    """How a prompt is continued: the next live row j is the live row sources[j] and tokens[j].

    Several new rows may continue the same row. A row that is not in `sources` is over. When
    `sources` is empty, the prompt is done.
    """

    sources: list[int]
    tokens: list[int]


class PromptState(Protocol):
    """The continuations of one prompt, which are computed side by side, each in a row.

    It chooses tokens by their logits. It does not know which model or decoder computes them.
    """

    prompt: list[int]
    width: int  # the largest number of rows that it needs

    def advance(self, logits: np.ndarray) -> Move:
        """Choose the next tokens by logits (live rows, V), which are in the order of the last move.

        The first logits are those after the prompt, (1, V).
        """

    def results(self) -> list[Continuation]:
        """The continuations; to be called once `advance` has returned an empty move."""
