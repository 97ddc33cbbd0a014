"""Which tokens make sample i: three index arrays, bit for bit those of PaddleNLP or Megatron-LM.

    E epochs, T tokens per epoch, L = seq_length, L + 1 tokens per sample

    doc_idx     int32 [documents * E]        documents in reading order
    sample_idx  int32 [(E*T - 1)//L + 1, 2]  where each sample begins: position in doc_idx, offset
    shuffle_idx uint32 [(E*T - 1)//L]        sample drawn at each step

The two orders differ in one thing: Megatron-LM (GPTDataset of megatron.core 0.16) shuffles doc_idx
too, with the generator that then shuffles the samples. Both put a last epoch of which less than
80 % is needed behind the others; both draw from np.random.RandomState(seed). Where PaddleNLP
asserts that this epoch gives at most its own samples, Megatron allows the one that straddles two
epochs, and so does this file for both.
"""

from __future__ import annotations

import numpy as np

from data_tools.index_helper import _core
from data_tools.index_helper._core import build_sample_idx

ORDERS = ("paddlenlp", "megatron")


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


def shuffle(row: np.ndarray, random: np.random.RandomState) -> None:
    """Do what random.shuffle(row) does, with the same draws, in a fifth of its time.

    row: contiguous, of 32 or 64 bits. `random` goes on from where numpy would have left it.
    """
    state = random.get_state(legacy=False)
    twister = state["state"]
    twister["pos"] = _core.shuffle(row, twister["key"], twister["pos"])
    random.set_state(state)


def shuffle_blocks(row: np.ndarray, first: int, random: np.random.RandomState) -> None:
    """Shuffle row[:first] and row[first:], each in itself, in place."""
    shuffle(row[:first], random)
    shuffle(row[first:], random)


def shuffle_idx(first: int, total: int, random: np.random.RandomState) -> np.ndarray:
    """0..total-1 as two blocks, [0, first) and [first, total), each shuffled in itself.

    uint32, or int64 where total needs it.
    """
    dtype = np.int64 if total >= np.iinfo(np.uint32).max - 1 else np.uint32
    order = np.arange(total, dtype=dtype)
    shuffle_blocks(order, first, random)
    return order


def build_indices(
    sizes: np.ndarray,
    documents: np.ndarray,
    seq_length: int,
    num_samples: int,
    seed: int,
    order: str = "paddlenlp",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(doc_idx, sample_idx, shuffle_idx) for at least `num_samples` samples of one split.

    sizes: int32 [all documents], tokens of each. documents: int32 [split's documents], ids.
    Step k reads sample shuffle_idx[k]. ValueError when the split has no tokens.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}, expected one of {' '.join(ORDERS)}")
    if len(documents) and not 0 <= documents.min() <= documents.max() < len(sizes):
        raise ValueError(
            f"documents go from {documents.min()} to {documents.max()}, "
            f"but there are only {len(sizes)}"
        )
    tokens = int(sizes[documents].sum(dtype=np.int64))
    epochs = num_epochs(tokens, seq_length, num_samples)
    separate, before = separate_last_epoch(epochs, tokens, seq_length, num_samples)
    # For nothing else: any other draw would change the numbers, which must be upstream's.
    random = np.random.RandomState(seed)
    doc_idx = build_doc_idx(documents, epochs)
    if order == "megatron":
        behind = len(documents) if separate else 0
        shuffle_blocks(doc_idx, len(doc_idx) - behind, random)
    sample_idx = build_sample_idx(sizes, doc_idx, seq_length, epochs, tokens)
    total = len(sample_idx) - 1
    return doc_idx, sample_idx, shuffle_idx(before if separate else total, total, random)
