"""Held-out loss as a code length: every token of a document predicted once, from its context."""

import gzip
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from paddle_impl.evaluation.scoring import perplexity, score
from paddle_impl.evaluation.windows import Row, strided


@dataclass(frozen=True)
class CodeLength:
    """What a model needs to tell the documents, beside what gzip -9 needs for the same bytes.

    right: tokens that were the likeliest at their place.
    """

    nats: float
    tokens: int
    right: int
    bytes: int
    gzip_bytes: int

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.bytes

    @property
    def gzip_bits_per_byte(self) -> float:
        return 8.0 * self.gzip_bytes / self.bytes

    @property
    def loss(self) -> float:
        """Mean nats a token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        return perplexity(self.nats, self.tokens)

    @property
    def accuracy(self) -> float:
        """Share of the tokens that were the likeliest."""
        return self.right / self.tokens


def code_length(
    model,
    documents: list[np.ndarray],
    decode_bytes: Callable[[np.ndarray], bytes],
    *,
    eos_token_id: int,
    window: int,
    stride: int,
    vocab_size: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> CodeLength:
    """Sum of -log p over all tokens of the documents, each after an end token and closed by one.

    documents: int arrays (n,), with or without their own final end token. The end token is paid
    for too, as a decoder would need it. gzip compresses all documents as one stream.
    vocab_size, progress: see scoring.score.
    """
    parts: list[bytes] = []
    rows: list[Row] = []
    for document in documents:
        text = document[:-1] if len(document) and document[-1] == eos_token_id else document
        parts.append(decode_bytes(text))
        sequence = np.concatenate([[eos_token_id], text, [eos_token_id]])
        rows += strided(sequence, window, stride)
    raw = b"".join(parts)
    if not raw:
        raise ValueError("the held-out documents hold no text")
    scores = score(model, rows, vocab_size=vocab_size, progress=progress)
    return CodeLength(
        float(scores.nats.sum()), sum(len(row.targets) for row in rows), int(scores.right.sum()),
        len(raw), len(gzip.compress(raw, 9)),
    )
