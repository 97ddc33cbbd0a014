"""The compiled code's functions in numpy. Tests compare the two; nothing else uses these."""

from __future__ import annotations

import numpy as np


def build_sample_idx(
    sizes: np.ndarray,
    doc_idx: np.ndarray,
    seq_length: int,
    num_epochs: int,
    tokens_per_epoch: int,
) -> np.ndarray:
    """int32 [(E*T - 1) // L + 1, 2]: (position in doc_idx, offset in that document) per sample.

    Lay all documents of doc_idx end to end: sample i begins at token i * L. As each sample is
    L + 1 tokens, that is also the last token of sample i - 1, so a document's last token can
    begin a sample, and an empty document never does; except sample 0, which always is (0, 0).
    """
    ends = np.cumsum(sizes[doc_idx], dtype=np.int64)  # past 2^31 tokens
    starts = ends - sizes[doc_idx]
    rows = (num_epochs * tokens_per_epoch - 1) // seq_length + 1
    tokens = np.arange(rows, dtype=np.int64) * seq_length
    positions = np.searchsorted(ends, tokens, side="right")  # first document ending after it
    positions[0] = 0
    return np.stack([positions, tokens - starts[positions]], axis=1).astype(np.int32)


def build_blending_indices(weights: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(dataset int16 [size], its sample int64 [size]) of each sample of a blend.

    weights: float64 [datasets], summing to one. Sample k goes to the dataset that is furthest
    behind weight * k samples, the first of several; each dataset's samples come in their order.
    The first sample is chosen as the second would be, or all datasets would be equally behind.
    Source: Megatron-LM, build_blending_indices.
    """
    datasets = np.empty(size, np.int16)
    samples = np.empty(size, np.int64)
    taken = np.zeros(len(weights), np.int64)
    for k in range(size):
        datasets[k] = np.argmax(weights * max(k, 1) - taken)
        samples[k] = taken[datasets[k]]
        taken[datasets[k]] += 1
    return datasets, samples


def sample(
    ids: np.ndarray,
    offsets: np.ndarray,
    doc_idx: np.ndarray,
    sample_idx: np.ndarray,
    i: int,
    seq_length: int,
) -> np.ndarray:
    """int64 [seq_length + 1]: the tokens of sample i, across document boundaries.

    ids: all tokens. offsets: int64 [documents + 1], where each document begins in ids.
    Inputs are [:-1] of the result, labels [1:].
    """
    (first, begin), (last, end) = sample_idx[i], sample_idx[i + 1]
    pieces = []
    for position in range(first, last + 1):
        start, stop = offsets[doc_idx[position]], offsets[doc_idx[position] + 1]
        if position == last:
            stop = start + end + 1
        if position == first:
            start = start + begin
        pieces.append(ids[start:stop])
    tokens = np.concatenate(pieces).astype(np.int64)
    assert len(tokens) == seq_length + 1, (len(tokens), seq_length)
    return tokens
