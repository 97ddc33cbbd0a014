"""Samples that are blocks of single documents, instead of windows over all documents joined."""

import numpy as np

from data_tools.index_helper import shuffle
from data_tools.packing import chunk_table
from data_tools.splits import SPLITS
from data_tools.token_files.token_file import TokenFile
from paddle_impl.data.pretrain import (
    Samples,
    digest_of_order,
    index_arrays,
    order_key,
)


class PackedDataset(Samples):
    """Blocks of at most T tokens of one document: `dataset[i]` is (T + 1,) int64, padded.

    tail: whether a document's last tokens, fewer than T, are kept as a short block ("keep") or
    dropped ("drop"). pad_id: the token that pads a row; the loader masks it.
    Inputs and labels both come from within a block, as in Hugging Face's course: the first token
    of a block is never a label, and its last is never an input whose label counts. Blocks are
    shuffled epoch by epoch with one generator, so more epochs do not change the earlier ones.
    """

    def __init__(
        self,
        tokens: TokenFile,
        split: str,
        bounds: list[int],
        *,
        seq_length: int,
        num_samples: int,
        seed: int,
        tail: str,
        pad_id: int,
    ):
        which = SPLITS.index(split)
        self.tokens, self.split, self.seq_length, self.pad_id = tokens, split, seq_length, pad_id
        self.order_key = order_key(tokens, bounds, seq_length, seed, tail)
        self.notes: list[str] = []

        def build() -> tuple[np.ndarray, np.ndarray]:
            first, last = bounds[which], bounds[which + 1]
            blocks = chunk_table(tokens.document_sizes[first:last], seq_length, tail)
            blocks[:, 0] += first
            return blocks, _shuffled(len(blocks), num_samples, seed)

        self.blocks, self.shuffle_idx = index_arrays(
            self, num_samples, ("block", "shuffle"), build
        )
        self._ids, self._offsets = np.asarray(tokens.ids), tokens.document_offsets

    def __len__(self) -> int:
        return len(self.shuffle_idx)

    def read(self, index: int, out: np.ndarray) -> int:
        """Write block `index` to `out` (T + 1,); returns the number of tokens before padding."""
        document, start, length = self.blocks[self.shuffle_idx.item(index)].tolist()
        begin = self._offsets.item(document) + start
        out[:length] = self._ids[begin : begin + length]
        out[length:] = self.pad_id
        return length

    def sample_order(self) -> str:
        """Digest of the first epoch's order, which does not depend on the number of epochs."""
        return digest_of_order(self.shuffle_idx[: len(self.blocks)])

    def epoch(self, samples: int) -> int:
        """Whole passes over the split's blocks that `samples` samples have made."""
        return samples // len(self.blocks)


def _shuffled(blocks: int, num_samples: int, seed: int) -> np.ndarray:
    """uint32 [blocks * epochs]: the numbers of all blocks, shuffled anew for each epoch."""
    if not blocks:
        raise ValueError(
            "a split without blocks has no samples: give it documents, or leave it out"
        )
    random = np.random.RandomState(seed)
    order = np.tile(np.arange(blocks, dtype=np.uint32), max(1, -(-num_samples // blocks)))
    for start in range(0, len(order), blocks):
        shuffle(order[start : start + blocks], random)
    return order
