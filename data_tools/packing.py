"""From documents to contexts: cut long documents, glue all, or put several short ones together.

Nothing here sees a token: lengths go in, tables of places come out.

    chunk_table   each document cut on its own; the tail kept (the seed of PYCPilot) or dropped
                  (Hugging Face's course)
    concat_table  all documents in one row, cut into full blocks (CodeParrot's
                  ConstantLengthDataset; each document brings its own eos)
    pack_lengths  whole short examples, several to a context, for fine-tuning
"""

from __future__ import annotations

from bisect import bisect_left, insort

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


def concat_table(total_tokens: int, context_length: int) -> np.ndarray:
    """int64 [blocks, 2], rows (start, length) in the row of all tokens; the remainder is dropped.

    Every length is context_length. Blocks do not overlap: whoever shifts labels by one inside a
    block predicts context_length - 1 tokens of each.
    """
    _checked(np.zeros(0, dtype=np.int64), context_length)
    if total_tokens < 0:
        raise ValueError(f"total_tokens must not be negative, it is {total_tokens}")
    blocks = total_tokens // context_length
    table = np.empty((blocks, 2), dtype=np.int64)
    table[:, 0] = np.arange(blocks) * context_length
    table[:, 1] = context_length
    return table


def pack_lengths(lens: np.ndarray, context_length: int, too_long: str = "error") -> list[list[int]]:
    """Numbers of the documents that share a context: a list of bins, each rising.

    Best fit, longest first (Johnson 1973: at most 11/9 of the fewest possible bins, plus one);
    equal lengths in document order, so the same lengths give the same bins. Bins come in the
    order of their first document. A document longer than context_length is a ValueError; with
    too_long="cut" it counts, and must be cut by the caller, as context_length. An empty document
    is in no bin.
    """
    lens = _checked(lens, context_length)
    if too_long not in ("error", "cut"):
        raise ValueError(f"too_long is {too_long!r}, expected one of error cut")
    if too_long == "error" and len(lens) and lens.max() > context_length:
        worst = int(lens.argmax())
        raise ValueError(
            f"document {worst} has {lens[worst]} tokens, more than context_length "
            f"{context_length}: cut it, or allow cutting"
        )
    lens = np.minimum(lens, context_length)
    order = np.argsort(-lens, kind="stable")
    bins: list[list[int]] = []
    # Bins by the room they have left: at most context_length rooms, however many bins.
    rooms: list[int] = []
    bins_with: dict[int, list[int]] = {}
    for document in order[: np.count_nonzero(lens)].tolist():
        length = int(lens[document])
        place = bisect_left(rooms, length)
        if place == len(rooms):
            chosen, room = len(bins), context_length
            bins.append([])
        else:
            room = rooms[place]
            chosen = bins_with[room].pop()
            if not bins_with[room]:
                del bins_with[room], rooms[place]
        bins[chosen].append(document)
        left = room - length
        if left:
            if left not in bins_with:
                insort(rooms, left)
            bins_with.setdefault(left, []).append(chosen)
    return sorted((sorted(members) for members in bins), key=lambda members: members[0])


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
