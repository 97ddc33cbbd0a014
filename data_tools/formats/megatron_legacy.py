"""X.idx of fairseq's and Megatron's first data sets ("lazy"), which came before memory mapping.

    magic TNTIDX (8 bytes), then u64: version 1, type code, bytes per id, items n, sizes s,
    documents + 1 d (absent in fairseq's), then dimension offsets int64 [n + 1], data offsets
    int64 [n + 1] (ids into X.bin), sizes [s] (int64; PaddleNLP writes int32), first item of
    each document int64 [d] (absent in fairseq's)

An item is a tensor; only items of one dimension are read. The layout is taken from PaddleNLP's
reader. The form that fairseq itself wrote was not tried on a file.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from data_tools.formats.sequences import check_documents, id_type, starts_of

LEGACY_MAGIC = b"TNTIDX\x00\x00"


def read_legacy_index(path: Path) -> tuple[int, np.ndarray, np.ndarray]:
    """(type code, int64 [n + 1] where items start in ids, int64 [documents + 1])."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(56)
    if len(header) < 56:
        raise ValueError(f"{path} is cut short: {size} bytes")
    version, code, width, items, dimensions, entries = struct.unpack("<6Q", header[8:])
    if version != 1 or width != id_type(path, code).itemsize:
        raise ValueError(
            f"{path} has version {version} and {width} bytes per id of type code {code}, "
            f"expected version 1 and {id_type(path, code).itemsize} bytes"
        )
    # Without documents these eight bytes are the first dimension offset, always 0; with them
    # they count at least the end.
    body = 56 if entries else 48
    offsets = 16 * (items + 1)
    for itemsize in (4, 8) if entries else (8,):
        if size == body + offsets + itemsize * dimensions + 8 * entries:
            break
    else:
        raise ValueError(
            f"{path} is {size} bytes long, which does not fit {items} items, {dimensions} sizes "
            f"and {entries} document entries: copy it again or make it again"
        )
    if dimensions != items:
        raise ValueError(f"{path} holds {dimensions} sizes of {items} items, expected rows of ids")
    with open(path, "rb") as file:
        file.seek(body)
        rows, places = np.fromfile(file, "<i8", 2 * (items + 1)).reshape(2, -1)
        sizes = np.fromfile(file, f"<i{itemsize}", items)
        documents = np.fromfile(file, "<i8", entries) if entries else np.arange(items + 1)
    # A row is at most 2^31 - 1 long; more would overflow the sum.
    if (rows != np.arange(items + 1)).any() or (len(sizes) and sizes.max() >= 2**31):
        raise ValueError(f"{path} holds items of several dimensions, expected rows of ids")
    starts = starts_of(path, sizes)
    if (places != starts).any():
        i = int(np.flatnonzero(places != starts)[0])
        raise ValueError(
            f"{path}: item {i} starts at id {places[i]}, the sizes before it make {starts[i]}: "
            "make it again"
        )
    check_documents(path, documents, items)
    return code, starts, documents
