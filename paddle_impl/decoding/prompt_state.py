"""What is made of one prompt: its continuations, side by side, as the logits come."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Continuation:
    """New tokens without the end token, and their score.

    score: mean log-probability of all that were chosen, the end token too; of a beam search the
    beam's score. finish_reason: "eos", "stop" (a stop string, which the tokens still hold) or
    "length". text: without the stop string and what follows it; None without a tokenizer.
    """

    token_ids: list[int]
    score: float
    finish_reason: str
    text: str | None = None


@dataclass(frozen=True)
class Move:
    """How the live rows go on: row j continues what row sources[j] was, with tokens[j].

    A row that no one continues is over, several may continue the same; none left: all is done.
    """

    sources: list[int]
    tokens: list[int]


class PromptState(Protocol):
    """One prompt's continuations. It sees logits and gives tokens, and knows no model."""

    prompt: list[int]
    width: int  # rows it needs at most

    def advance(self, logits: np.ndarray) -> Move:
        """logits (live rows, V) float, in the order of the last move; at first (1, V)."""

    def results(self) -> list[Continuation]:
        """Once the last move was empty."""
