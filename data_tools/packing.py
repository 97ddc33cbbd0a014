"""Documents to contexts: each document is cut on its own into blocks of one length.

Only the lengths of documents are needed, not their tokens.
"""

from __future__ import annotations

import numpy as np

TAILS = ("keep", "drop")


def chunk_table(lens: np.ndarray, context_length: int, tail: str = "keep") -> np.ndarray:
    """int64 [chunks, 3], rows (document, start, length), in document order, starts rising.

    lens: tokens of each document, integers [documents]. start counts from the document's own
    first token. tail="keep": every token is in one chunk, the last of a document may be short;
    "drop": only chunks of exactly context_length. An empty document gives no row.
    Memory: 24 bytes a chunk, and as much again while the table is made.
    """
    lens = _checked(lens, context_length)
    if tail not in TAILS:
        raise ValueError(f"tail is {tail!r}, expected one of {' '.join(TAILS)}")
    full = lens // context_length
    counts = full if tail == "drop" else full + (lens % context_length > 0)
    ends = np.cumsum(counts)
    table = np.empty((int(ends[-1]) if len(ends) else 0, 3), dtype=np.int64)
    table[:, 0] = np.repeat(np.arange(len(lens)), counts)
    table[:, 1] = np.arange(len(table)) - np.repeat(ends - counts, counts)
    table[:, 1] *= context_length
    table[:, 2] = context_length
    if tail == "keep":
        short = lens - full * context_length
        table[ends[short > 0] - 1, 2] = short[short > 0]
    return table


def _checked(lens: np.ndarray, context_length: int) -> np.ndarray:
    if context_length < 1:
        raise ValueError(f"context_length must be positive, it is {context_length}")
    lens = np.asarray(lens)
    if lens.ndim != 1 or (lens.dtype.kind not in "iu" and len(lens)):
        raise ValueError(f"lens must be one row of integers, it is {lens.dtype} {lens.shape}")
    lens = lens.astype(np.int64)
    if len(lens) and lens.min() < 0:
        worst = int(lens.argmin())
        raise ValueError(f"document {worst} has the negative length {lens[worst]}")
    return lens
