"""Reads every token of an open token file and names what is wrong, with the first bad place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from data_tools.token_files.arrays import release

if TYPE_CHECKING:
    from data_tools.token_files.token_file import TokenFile

SCAN_CHUNK = 1 << 22  # ids looked at together


def find_problems(
    data: TokenFile, vocab_size: int | None, progress: Callable[[int], None]
) -> list[str]:
    """One sentence per kind of problem; an empty list where there is none.

    Ids within the vocabulary (of `vocab_size`, else of meta's; without either, not negative);
    the file's sha256 as in meta; where meta says append_eos, the end token at each document's
    end. `progress` is told the bytes just read.
    """
    meta = data.meta or {}
    vocab_size = vocab_size or meta.get("vocab_size")
    eos = meta.get("eos_token_id") if meta.get("append_eos") else None
    outside, open_ended = _Places(), _Places()
    sizes = np.diff(data.document_offsets)
    ends = data.document_offsets[1:][sizes > 0] - 1
    digest = hashlib.sha256(_bytes_before_the_ids(data))
    for start in range(0, len(data.ids), SCAN_CHUNK):
        chunk = np.asarray(data.ids[start : start + SCAN_CHUNK])
        if int(chunk.min()) < 0 or (vocab_size and int(chunk.max()) >= vocab_size):
            wrong = chunk < 0
            if vocab_size:
                wrong |= chunk >= vocab_size
            outside.add(start + np.flatnonzero(wrong))
        if eos is not None:
            first, last = np.searchsorted(ends, [start, start + len(chunk)])
            here = ends[first:last]
            open_ended.add(here[chunk[here - start] != eos])
        digest.update(chunk)
        progress(chunk.nbytes)
        release(data.ids)

    problems = []
    if outside.count:
        within = f"the vocabulary of {vocab_size}" if vocab_size else "any vocabulary"
        problems.append(
            f"id {data.ids[outside.first]} at {_place(data, outside.first)} is outside {within}; "
            f"{outside.count} such ids"
        )
    if open_ended.count:
        problems.append(
            f"id {data.ids[open_ended.first]} at {_place(data, open_ended.first)} ends the "
            f"document, expected the end token {eos}; {open_ended.count} such documents"
        )
    empty = np.flatnonzero(sizes == 0)
    if eos is not None and len(empty):
        problems.append(
            f"document {empty[0]} is empty, expected at least the end token {eos}; "
            f"{len(empty)} such documents"
        )
    if "ids_sha256" in meta and digest.hexdigest() != meta["ids_sha256"]:
        problems.append(
            f"{data.prefix}_ids.npy has sha256 {digest.hexdigest()[:12]}, its meta file says "
            f"{meta['ids_sha256'][:12]}: it changed after it was written, copy it again"
        )
    return problems


class _Places:
    """How many places are wrong, and which is the first."""

    def __init__(self):
        self.count, self.first = 0, -1

    def add(self, places: np.ndarray) -> None:
        if len(places) and not self.count:
            self.first = int(places[0])
        self.count += len(places)


def _place(data: TokenFile, token: int) -> str:
    # Empty documents begin where the next one does: the last that begins here holds the token.
    document = int(np.searchsorted(data.document_offsets, token, side="right")) - 1
    place = f"token {token} (document {document}"
    if isinstance(data.ids, np.memmap):
        byte = data.ids.offset + token * data.ids.itemsize
        place += f", byte {byte} of {os.path.basename(data.prefix)}_ids.npy"
    return place + ")"


def _bytes_before_the_ids(data: TokenFile) -> bytes:
    if not isinstance(data.ids, np.memmap):
        return b""
    with open(f"{data.prefix}_ids.npy", "rb") as file:
        return file.read(data.ids.offset)
