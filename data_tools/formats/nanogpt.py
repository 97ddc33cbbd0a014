"""nanoGPT's train.bin: ids as raw uint16, nothing else; documents end in the end token.

llm.c and modded-nanogpt put 256 int32 in front (20240520, version 1, tokens); that is read too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_tools.files import whole_file
from data_tools.formats.documents import BLOCK_TOKENS, Row, map_ids
from data_tools.token_files.arrays import release
from data_tools.token_files.token_file import TokenFile

GPT2_EOS = 50256
LLM_C_MAGIC, LLM_C_HEADER = 20240520, 1024  # bytes
LLM_C_MAGICS = (LLM_C_MAGIC, 20240801)  # of tokens in two bytes, and in four


def read_nanogpt(path: str, eos: int | None) -> Row:
    """Documents cut after each `eos`, the last also without one; eos None: one document."""
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path} is missing")
    size, notes, start = file.stat().st_size, [], 0
    if size % 2:
        raise ValueError(f"{path} is {size} bytes long, expected two for each id: copy it again")
    with open(file, "rb") as stream:
        magic, version, tokens = struct.unpack("<3i", stream.read(12).ljust(12, b"\0"))
    if magic in LLM_C_MAGICS and (magic, version) != (LLM_C_MAGIC, 1):
        raise ValueError(f"{path} has llm.c's header {magic} of version {version}; of these only "
                         f"{LLM_C_MAGIC} of version 1, GPT-2's two bytes an id, is read")
    if magic == LLM_C_MAGIC:
        if size != LLM_C_HEADER + 2 * tokens:
            raise ValueError(
                f"{path} is {size} bytes long but its header announces {tokens} ids, "
                f"{LLM_C_HEADER + 2 * tokens} bytes: copy it again"
            )
        start = LLM_C_HEADER
        notes.append("left out the header that llm.c puts in front")
    ids = map_ids(file, np.dtype("<u2"), start)
    if eos is None:
        return Row(ids, np.array([0, len(ids)]), notes)
    ends = [np.zeros(1, dtype=np.int64)]
    for first in range(0, len(ids), BLOCK_TOKENS):
        chunk = ids[first : first + BLOCK_TOKENS]
        ends.append(np.flatnonzero(chunk == eos) + first + 1)
        release(ids)
    if len(ids) and ids[-1] != eos:
        ends.append(np.array([len(ids)]))
    return Row(ids, np.concatenate(ends), notes)


def write_nanogpt(
    data: TokenFile, path: str, eos: int | None, progress: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Write all ids as uint16; lines for the user. ValueError for an id that needs more."""
    sizes, ends = np.diff(data.document_offsets), data.document_offsets[1:]
    last = ends[sizes > 0] - 1  # of each document that has tokens
    glued = 0
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        for start in range(0, len(data.ids), BLOCK_TOKENS):
            ids = data.ids[start : start + BLOCK_TOKENS]
            low, high = int(ids.min()), int(ids.max())
            if low < 0 or high > 65535:
                raise ValueError(
                    f"token id {low if low < 0 else high} does not fit nanoGPT's two bytes"
                )
            file.write(np.ascontiguousarray(ids, "<u2"))
            here = last[slice(*np.searchsorted(last, [start, start + len(ids)]))]
            glued += int(np.count_nonzero(ids[here - start] != (-1 if eos is None else eos)))
            progress(len(ids))
            release(data.ids)
    if eos is None:
        return [f"the ends of {glued:,} documents are not marked: no end token is known"]
    return [f"{glued:,} documents do not end in {eos}, so their ends are lost"] if glued else []
