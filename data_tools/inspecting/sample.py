"""The tokens that make sample N of a run: the window that it reads, document by document.

    T tokens in the split, L = seq_length, sample i = tokens i*L .. i*L + L of the split's
    documents in file order, read again and again (epoch by epoch) where i*L passes T

A run reads the samples in shuffled order; drawn() tells which one comes N-th.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from data_tools.splits import split_bounds
from data_tools.token_files.token_file import TokenFile


@dataclass(frozen=True)
class Piece:
    """Tokens first..last (inclusive) of one document, counted from the document's start."""

    document: int
    first: int
    last: int
    epoch: int

    def place(self, data: TokenFile) -> str:
        """Where the tokens stand, for people."""
        begin, end = map(int, data.document_offsets[self.document : self.document + 2])
        return (
            f"document {self.document}: tokens {self.first} to {self.last} of {end - begin} "
            f"({begin + self.first} to {begin + self.last} of the file)"
            + (f", epoch {self.epoch + 1}" if self.epoch else "")
        )


def bounds_of(split: str, documents: int) -> list[int]:
    """Document bounds [0, a, b, documents] of train, valid, test.

    split: up to three weights, "949,50,1" or "949/50/1"; what is missing is 0.
    """
    parts = re.split("[,/]", split)
    try:
        weights = [float(part) for part in parts] + [0.0] * (3 - len(parts))
    except ValueError:
        weights = []
    total = sum(weights)
    if len(weights) != 3 or min(weights) < 0 or not 0 < total < float("inf"):
        raise ValueError(f"split {split!r}: expected three weights like 949,50,1")
    return split_bounds([weight / total for weight in weights], documents)


def drawn(
    data: TokenFile,
    bounds: tuple[int, int],
    n: int,
    seq_length: int,
    num_samples: int,
    seed: int,
    order: str,
) -> tuple[int, list[Piece]]:
    """The sample that a run over documents bounds[0]..bounds[1] - 1 reads N-th: (its number
    before shuffling, its pieces).

    num_samples is what the run asked for: it sets the epochs, and they set the shuffle. order:
    the run's --data_order.
    """
    from data_tools.index_helper import build_indices

    _tokens(data, bounds)
    documents = np.arange(*bounds, dtype=np.int32)
    doc_idx, sample_idx, shuffle_idx = build_indices(
        data.document_sizes, documents, seq_length, num_samples, seed, order
    )
    if n >= len(shuffle_idx):
        raise ValueError(f"sample {n}: the run has {len(shuffle_idx)}, 0 to {len(shuffle_idx) - 1}")
    i, pieces = int(shuffle_idx[n]), []
    (position, first), (end, end_token) = sample_idx[i : i + 2].tolist()
    while position <= end:
        document = int(doc_idx[position])
        last = end_token if position == end else int(data.document_sizes[document]) - 1
        if first <= last:
            pieces.append(Piece(document, first, last, position // len(documents)))
        position, first = position + 1, 0
    return i, pieces


def window(data: TokenFile, bounds: tuple[int, int], i: int, seq_length: int) -> list[Piece]:
    """The seq_length + 1 tokens of sample i before shuffling: inputs all but the last, labels
    all but the first. Empty documents give no piece.
    """
    tokens, offsets = _tokens(data, bounds), data.document_offsets
    pieces, position, left = [], i * seq_length, seq_length + 1
    while left:
        epoch, place = divmod(position, tokens)
        place += int(offsets[bounds[0]])
        document = int(np.searchsorted(offsets, place, side="right")) - 1
        first = place - int(offsets[document])
        count = min(left, int(offsets[document + 1]) - place)
        pieces.append(Piece(document, first, first + count - 1, epoch))
        position, left = position + count, left - count
    return pieces


def ids_of(data: TokenFile, pieces: list[Piece]) -> np.ndarray:
    """[tokens] ids of the pieces, one after the other."""
    rows = [data.document(piece.document)[piece.first : piece.last + 1] for piece in pieces]
    return np.concatenate(rows)


def _tokens(data: TokenFile, bounds: tuple[int, int]) -> int:
    tokens = int(data.document_offsets[bounds[1]] - data.document_offsets[bounds[0]])
    if not tokens:
        raise ValueError(
            f"documents {bounds[0]} to {bounds[1] - 1} of {data.prefix} hold no tokens, so there "
            "are no samples: change the split"
        )
    return tokens
