"""What Megatron's index files have in common: type codes, sizes, where documents begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# 6 and 7 are floats, in one order for fairseq and in the other for Megatron: no ids either way.
TYPES = {
    1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2", 9: "<u4", 10: "<u8",
}  # fmt: skip


def id_type(path: Path, code: int) -> np.dtype:
    if code in (6, 7):
        raise ValueError(f"{path} says that the data are floats (type code {code}), expected ids")
    if code not in TYPES:
        raise ValueError(f"{path} has the unknown type code {code}, expected 1 to 5 or 8 to 10")
    return np.dtype(TYPES[code])


def check_documents(path: Path, documents: np.ndarray, sequences: int) -> None:
    """documents: int64 [documents + 1], first sequence of each."""
    rises = len(documents) and documents[0] == 0 and documents[-1] == sequences
    if not rises or (documents[1:] < documents[:-1]).any():
        raise ValueError(
            f"{path}: the document index does not rise from 0 to the {sequences} sequences"
        )


def starts_of(path: Path, sizes: np.ndarray) -> np.ndarray:
    """int64 [n + 1]: where sequences of these sizes start, and where the last ends."""
    if len(sizes) and sizes.min() < 0:
        raise ValueError(f"{path}: sequence {int(sizes.argmin())} has the size {sizes.min()}")
    starts = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def joined(documents: np.ndarray) -> list[str]:
    """A line for the user where documents have several sequences, which are joined; else []."""
    several = int(np.count_nonzero(np.diff(documents) > 1))
    if not several:
        return []
    return [
        f"joined the sequences of {several:,} documents that have several "
        f"({documents[-1]:,} sequences in all)"
    ]
