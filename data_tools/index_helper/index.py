"""Which tokens make sample i: three index arrays, bit for bit those of PaddleNLP and Megatron.

    E epochs, T tokens per epoch, L = seq_length, L + 1 tokens per sample

    doc_idx     int32 [documents * E]        documents in reading order
    sample_idx  int32 [(E*T - 1)//L + 1, 2]  where each sample begins: position in doc_idx, offset
    shuffle_idx uint32 [(E*T - 1)//L]        sample drawn at each step

Megatron also shuffles doc_idx; PaddleNLP does not, and neither do we.
"""

from __future__ import annotations

import numpy as np

from data_tools.index_helper._core import build_sample_idx


def num_epochs(tokens_per_epoch: int, seq_length: int, num_samples: int) -> int:
    """Smallest E >= 1 with (E*T - 1) // L >= num_samples."""
    if tokens_per_epoch < 1:
        raise ValueError(
            "a split without tokens has no samples: give it documents, or leave it out"
        )
    if seq_length < 1 or num_samples < 0:
        raise ValueError(
            f"seq_length must be at least 1 and num_samples at least 0, "
            f"not {seq_length} and {num_samples}"
        )
    return -(-(num_samples * seq_length + 1) // tokens_per_epoch)


def build_doc_idx(documents: np.ndarray, epochs: int) -> np.ndarray:
    """int32 [documents * epochs]: the split's document ids (int32), once per epoch, in order."""
    if documents.dtype != np.int32 or documents.ndim != 1:
        raise ValueError(
            f"documents must be one row of int32, not {documents.dtype} {documents.shape}"
        )
    if len(documents) * epochs > np.iinfo(np.int32).max:
        raise ValueError(
            f"{len(documents)} documents read {epochs} times are more than int32 can number: "
            "ask for fewer samples, or join short documents"
        )
    return np.tile(documents, epochs)


def separate_last_epoch(
    epochs: int, tokens_per_epoch: int, seq_length: int, num_samples: int
) -> tuple[bool, int]:
    """(shuffle the last epoch by itself?, samples before it).

    Where the last epoch is needed for less than 80 % of its samples, mixing it with the others
    would show some documents more often than they should be.
    """
    if epochs == 1:
        return False, 0
    before = ((epochs - 1) * tokens_per_epoch - 1) // seq_length
    per_epoch = (tokens_per_epoch - 1) // seq_length
    needed = num_samples - before
    # Upstream asserts needed < per_epoch + 1 and dies on ordinary small sets: a sample that
    # straddles two epochs makes it per_epoch + 1.
    assert 0 <= needed <= per_epoch + 1, (needed, per_epoch)
    return needed < int(0.80 * per_epoch), before


def shuffle_idx(first: int, total: int, random: np.random.RandomState) -> np.ndarray:
    """0..total-1 as two blocks, [0, first) and [first, total), each shuffled in itself.

    uint32, or int64 where total needs it. `random` is used for nothing else, or the numbers
    would not be upstream's.
    """
    dtype = np.int64 if total >= np.iinfo(np.uint32).max - 1 else np.uint32
    order = np.arange(total, dtype=dtype)
    random.shuffle(order[:first])
    if first < total:
        random.shuffle(order[first:])
    return order


def build_indices(
    sizes: np.ndarray, documents: np.ndarray, seq_length: int, num_samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(doc_idx, sample_idx, shuffle_idx) for at least `num_samples` samples of one split.

    sizes: int32 [all documents], tokens of each. documents: int32 [split's documents], ids.
    Step k reads sample shuffle_idx[k]. ValueError when the split has no tokens.
    """
    if len(documents) and not 0 <= documents.min() <= documents.max() < len(sizes):
        raise ValueError(
            f"documents go from {documents.min()} to {documents.max()}, "
            f"but there are only {len(sizes)}"
        )
    tokens = int(sizes[documents].sum(dtype=np.int64))
    epochs = num_epochs(tokens, seq_length, num_samples)
    doc_idx = build_doc_idx(documents, epochs)
    sample_idx = build_sample_idx(sizes, doc_idx, seq_length, epochs, tokens)
    separate, before = separate_last_epoch(epochs, tokens, seq_length, num_samples)
    total = len(sample_idx) - 1
    order = shuffle_idx(before if separate else total, total, np.random.RandomState(seed))
    return doc_idx, sample_idx, order


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
    (first, begin), (last, end) = sample_idx[i].tolist(), sample_idx[i + 1].tolist()
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
