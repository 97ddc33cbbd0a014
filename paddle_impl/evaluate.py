"""Held-out loss as a code length: every token of a document predicted once, from its context."""

import gzip
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import paddle
import paddle.nn.functional as F

_LOGITS = 1 << 26  # of one forward pass: 256 MiB in float32


@dataclass(frozen=True)
class CodeLength:
    """What a model needs to tell the documents, beside what gzip -9 needs for the same bytes."""

    nats: float
    tokens: int
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


def windows(length: int, size: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, first) of the windows over `length` inputs: targets first..end are counted.

    Each target is counted once; all but those of the first window see at least size - stride
    earlier tokens. The last window reaches the end.
    """
    counted = 0
    while counted < length:
        end = min(length, size if counted == 0 else counted + stride)
        yield max(0, end - size), end, counted
        counted = end


@paddle.no_grad()
def code_length(
    model,
    documents: list[np.ndarray],
    decode_bytes: Callable[[np.ndarray], bytes],
    *,
    eos_token_id: int,
    window: int,
    stride: int,
    progress: Callable = iter,
) -> CodeLength:
    """Sum of -log p over all tokens of the documents, each after an end token and closed by one.

    documents: int arrays (n,), with or without their own final end token. The end token is paid
    for too, as a decoder would need it. gzip compresses all documents as one stream.
    """
    model.eval()
    parts: list[bytes] = []
    rows: list[tuple[np.ndarray, np.ndarray]] = []  # (inputs, targets with -100 where not counted)
    for document in documents:
        text = document[:-1] if len(document) and document[-1] == eos_token_id else document
        parts.append(decode_bytes(text))
        sequence = np.concatenate([[eos_token_id], text, [eos_token_id]]).astype(np.int64)
        for start, end, first in windows(len(sequence) - 1, window, stride):
            targets = sequence[start + 1 : end + 1].copy()
            targets[: first - start] = -100
            rows.append((sequence[start:end], targets))
    raw = b"".join(parts)
    if not raw:
        raise ValueError("the held-out documents hold no text")
    batch_size = max(1, _LOGITS // (window * model.config.vocab_size))
    # Rows of one length stack without padding; a window's length is `window` but for short files.
    batches = [
        same_length[at : at + batch_size]
        for _, group in groupby(sorted(rows, key=_row_length), key=_row_length)
        for same_length in [list(group)]
        for at in range(0, len(same_length), batch_size)
    ]
    nats, tokens = 0.0, 0
    for batch in progress(batches):
        inputs = paddle.to_tensor(np.stack([row[0] for row in batch]))
        targets = np.stack([row[1] for row in batch])
        losses = F.cross_entropy(model(inputs), paddle.to_tensor(targets), reduction="none")
        nats += float(losses.astype("float64").sum())
        tokens += int((targets >= 0).sum())
    return CodeLength(nats, tokens, len(raw), len(gzip.compress(raw, 9)))


def _row_length(row: tuple[np.ndarray, np.ndarray]) -> int:
    return len(row[0])
