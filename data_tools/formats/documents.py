"""The interface of readers of other programs' formats, and writing what they read as token files.

A source has blocks(), which can be called again for a second pass: tuples (ids, offsets) of
whole documents, ids integers [tokens], offsets int64 [documents + 1] from 0 to tokens; and
notes, lines for the user on what was changed on the way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from data_tools.token_files.arrays import release
from data_tools.token_files.writer import TokenFileWriter

BLOCK_TOKENS = 1 << 22  # 32 MiB at eight bytes each; a longer document is a block of its own

Block = tuple[np.ndarray, np.ndarray]


class Source(Protocol):
    notes: list[str]

    def blocks(self) -> Iterator[Block]: ...


class Row:
    """Documents that lie one after the other in one long row, usually mapped from disk.

    ids: integers [tokens]. offsets: int64 [documents + 1], rising from 0 to tokens.
    """

    def __init__(self, ids: np.ndarray, offsets: np.ndarray, notes: list[str] | None = None):
        self.ids, self.offsets, self.notes = ids, offsets, notes or []

    def blocks(self) -> Iterator[Block]:
        first, count = 0, len(self.offsets) - 1
        while first < count:
            limit = self.offsets[first] + BLOCK_TOKENS
            last = int(np.searchsorted(self.offsets, limit, side="right")) - 1
            last = min(count, max(first + 1, last))
            offsets = self.offsets[first : last + 1]
            yield np.asarray(self.ids[offsets[0] : offsets[-1]]), offsets - offsets[0]
            release(self.ids)
            first = last


def largest_id(source: Source) -> int:
    """The largest id, found by reading all; -1 without tokens."""
    return max((int(ids.max()) for ids, _ in source.blocks() if len(ids)), default=-1)


def write_pair(
    source: Source,
    prefix: str,
    vocab_size: int,
    tokenizer=None,
    eos: int | None = None,
    meta: dict | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> TokenFileWriter:
    """Write all documents as a pair of token files, one sentence each; the closed writer.

    Empty documents are dropped, which is added to source.notes. `eos` goes into the meta file
    as the end token, with append_eos if all documents end in it; `meta` goes in as it is.
    progress: called with the tokens just written.
    """
    empty = open_ended = 0
    with TokenFileWriter(prefix, vocab_size, tokenizer) as writer:
        for ids, offsets in source.blocks():
            keep = np.append(True, np.diff(offsets) > 0)
            empty += int(len(keep) - np.count_nonzero(keep))
            offsets = offsets[keep]
            if eos is not None:
                open_ended += int(np.count_nonzero(ids[offsets[1:] - 1] != eos))
            writer.append_flat(ids, offsets)
            progress(len(ids))
        writer.meta = (meta or {}) | {
            "eos_token_id": eos,
            "append_eos": eos is not None and not open_ended,
        }
    if empty:
        source.notes.append(f"dropped {empty:,} empty documents")
    if open_ended:
        source.notes.append(f"{open_ended:,} documents do not end in the end token {eos}")
    return writer


def map_ids(path: Path, dtype: np.dtype, start: int = 0) -> np.ndarray:
    """The file from byte `start` as one row; its length has been checked by the caller."""
    length = (os.path.getsize(path) - start) // dtype.itemsize
    # An empty range cannot be mapped.
    return np.memmap(path, dtype, "r", start, (length,)) if length else np.empty(0, dtype)
