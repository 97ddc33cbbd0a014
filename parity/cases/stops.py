"""Stop strings for the tiny models, in a spelling by which they occur inside and across tokens."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from paddle_impl.config.decoding import Decoding
from parity.cases import Case
from parity.cases.decoding import Tiny, models
from parity.compare import Point, Trace

MODELS, TOKENS = 12, 14
# One that ends inside of others, one whose beginning repeats, and ones that hardly ever come.
STOPS = ("cab", "ab", "bbc", "é", "never", "aabcc", "bbabcc")
_SPELLINGS = ("a", "b", "ab", "c", "é", "b", "ca", "bb")


def tiny_models(case: Case) -> list[Tiny]:
    return models(case)[:MODELS]


def decode_bytes(ids: Iterable[int]) -> bytes:
    """The text of tokens: one or two letters each, or half of a letter of two bytes."""
    return b"".join(_spelled(token) for token in ids)


def setting(tiny: Tiny) -> Decoding:
    """The model's greedy setting with more tokens and without end tokens."""
    return replace(tiny.greedy, max_new_tokens=TOKENS, min_new_tokens=0, eos_token_ids=())


def _spelled(token: int) -> bytes:
    own = _SPELLINGS[token % len(_SPELLINGS)].encode()
    return own[token // 8 % 2 :][:1] if own == "é".encode() else own


def points(at: str, tokens: list[int], stopped: bool, text: str, score: float) -> Trace:
    """A trace of one continuation. tokens: those of the stop string included."""
    return {
        Point(0, "chosen ids", at): np.array([*tokens, -1]),
        Point(0, "ended", at): np.array([stopped, not stopped]),
        Point(0, "decoded", at): np.frombuffer(f"|{text}".encode(), np.uint8),
        Point(0, "score", at): np.array(score),
    }
