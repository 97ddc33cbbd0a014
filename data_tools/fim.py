"""Fill-in-the-middle (Bavarian et al. 2022): a document whose middle is moved to its end.

A model that is trained on such documents can fill a gap: it is given what stands before and behind,
and continues with the middle. A document is cut at two places, drawn evenly over its characters,
and each part is encoded by itself, because a prompt is cut there too. There are two orders:

    PSM   <fim_prefix> prefix <fim_suffix> suffix <fim_middle> middle
    SPM   <fim_prefix> <fim_suffix> suffix <fim_middle> prefix middle

SPM is the paper's form for training together with PSM (its appendix D). The order of a document's
draws: whether it is transformed, whether in SPM, both places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.fast_encoder import flat


class Cut(NamedTuple):
    """The three parts of a document, in the document's order, and the order that was drawn."""

    prefix: str
    middle: str
    suffix: str
    spm: bool


def cut(text: str, draws: np.random.Generator, rate: float, spm_rate: float) -> Cut | None:
    """Cut with probability `rate`, in SPM with probability `spm_rate`; None where it is not cut.

    Each part may be empty. Never a cut inside a character, so each part is UTF-8.
    """
    if draws.random() >= rate:
        return None
    spm = bool(draws.random() < spm_rate)
    first, second = sorted(draws.integers(0, len(text), size=2, endpoint=True).tolist())
    return Cut(text[:first], text[first:second], text[second:], spm)


def draws_of(text: str, seed: int) -> np.random.Generator:
    """A generator for this text: the same wherever and whenever the text is met.

    So a run that was killed and continued, or another number of processes, cuts alike.
    """
    digest = hashlib.blake2b(text.encode(), digest_size=16, key=f"fim {seed}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def arranged(prefix: np.ndarray, middle: np.ndarray, suffix: np.ndarray, spm: bool,
             tokens: tuple[int, int, int]) -> np.ndarray:
    """The ids of the parts with control tokens, uint32 [parts' tokens + 3].

    tokens: ids of `<fim_prefix>`, `<fim_middle>`, `<fim_suffix>`.
    """
    before, between, behind = (np.array([token], np.uint32) for token in tokens)
    if spm:
        return np.concatenate([before, behind, suffix, between, prefix, middle])
    return np.concatenate([before, prefix, behind, suffix, between, middle])


class FimEncoder:
    """Encodes texts as `tokenizer` does, some of them transformed; see AnyTokenizer.encode_flat.

    tokenizer: one that has FIM_TOKENS. The end token is for the caller to add.
    """

    def __init__(self, tokenizer, rate: float, spm_rate: float, seed: int):
        self.tokenizer, self.rate, self.spm_rate, self.seed = tokenizer, rate, spm_rate, seed
        self.holds_gil = tokenizer.holds_gil
        self._tokens = tuple(tokenizer.special_tokens[token] for token in FIM_TOKENS[:3])

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """ids uint32 [tokens], offsets int64 [texts + 1]."""
        rows = self.transformed(texts)
        plain = self._rows([text for text, row in zip(texts, rows, strict=True) if row is None])
        return flat([next(plain) if row is None else row for row in rows])

    def transformed(self, texts: Sequence[str]) -> list[np.ndarray | None]:
        """Ids, uint32, of each text that is transformed; None for the others."""
        cuts = [cut(text, draws_of(text, self.seed), self.rate, self.spm_rate) for text in texts]
        parts = self._rows([part for one in cuts if one for part in one[:3]])
        return [one and arranged(next(parts), next(parts), next(parts), one.spm, self._tokens)
                for one in cuts]

    def _rows(self, texts: list[str]):
        ids, offsets = self.tokenizer.encode_flat(texts)
        return (ids[start:stop] for start, stop in pairwise(offsets.tolist()))
