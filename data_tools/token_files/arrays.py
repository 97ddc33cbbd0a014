"""Read numpy's .npy and .npz files from strangers: each is checked before memory is allocated.

numpy's own readers evaluate the header as Python and allocate what it announces; an archive of
a few kilobytes can announce gigabytes. Here a header is compared with a pattern, not evaluated,
and the size that it announces must be that of the file. Only rows of little-endian numbers are
read.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

MAX_HEADER = 10_000  # numpy's own bound; a plain row needs 118 bytes
MAX_RATIO = 1032  # of deflate: 258 bytes in two bits
READ_CHUNK = 1 << 24  # bytes
# As numpy has written it since 2007, keys in this order.
_HEADER = re.compile(
    r"\{ *'descr': *('[^']*'|\[.*\]), *'fortran_order': *(True|False), *"
    r"'shape': *\(([-0-9L, ]*)\),? *\}\s*",
    re.DOTALL,
)
_KINDS = {"i": "int", "u": "uint", "f": "float", "c": "complex"}


def map_row(path: Path, types: tuple[type, ...]) -> np.memmap | np.ndarray:
    """A .npy file with one row of one of `types`, mapped from disk; ValueError for any other."""
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            descr, shape, start = _read_header(file)
        except ValueError as error:
            raise ValueError(f"{path} is not a readable .npy file: {error}") from None
        dtype = _row_type(path, descr, shape, types)
        announced = start + shape[0] * dtype.itemsize
        if size != announced:
            raise ValueError(
                f"{path} is {size} bytes long but its header announces {announced}: "
                "copy it again or make it again"
            )
        if not shape[0]:  # an empty range cannot be mapped
            return np.empty(0, dtype)
        return np.memmap(file, dtype, "r", start, shape)


def release(row: np.ndarray) -> None:
    """Let go of the pages of a mapped row that were read; they are read again where needed.

    Without this, the pages of a whole corpus would count as memory that the process uses.
    """
    mapping = getattr(row, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def read_npz(
    path: Path, wanted: Mapping[str, tuple[type, ...]], unpacked_limit: int | None = None
) -> dict[str, np.ndarray]:
    """The arrays `wanted` (name -> types) that a .npz holds, each one row; others are not read.

    ValueError for a damaged archive, one whose members announce what they cannot hold, or a
    compressed member of more than `unpacked_limit` bytes.
    """
    arrays = {}
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        with _damage(path):
            archive = zipfile.ZipFile(file)
        for name, types in wanted.items():
            members = [info for info in archive.infolist() if info.filename == f"{name}.npy"]
            if len(members) > 1:
                raise ValueError(f"{path} holds {name!r} {len(members)} times, expected once")
            for info in members:
                _check_member(path, info, size, unpacked_limit)
                with _damage(path):
                    stream = archive.open(info)
                    descr, shape, start = _read_header(stream)
                dtype = _row_type(f"{path}: {name}", descr, shape, types)
                if info.file_size != start + shape[0] * dtype.itemsize:
                    raise ValueError(
                        f"{path}: {name} is {info.file_size} bytes long but its header announces "
                        f"{start + shape[0] * dtype.itemsize}: copy it again or make it again"
                    )
                with _damage(path):
                    arrays[name] = _read_row(stream, shape[0], dtype)
    return arrays


def _check_member(path: Path, info: zipfile.ZipInfo, size: int, limit: int | None) -> None:
    packed, unpacked = info.compress_size, info.file_size
    stored = info.compress_type == zipfile.ZIP_STORED
    if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
        raise ValueError(
            f"{path} is compressed in a way numpy does not write (method {info.compress_type})"
        )
    possible = packed if stored else MAX_RATIO * (packed + 1)
    if packed > size or unpacked > possible:
        raise ValueError(
            f"{path} is damaged: {info.filename} announces {unpacked} bytes, which the "
            f"{size} bytes of the file cannot hold"
        )
    if not stored and limit is not None and unpacked > limit:
        raise ValueError(
            f"{path}: {info.filename} unpacks to {unpacked} bytes, far more than the ids it "
            "describes can need"
        )


def _read_row(stream: BinaryIO, length: int, dtype: np.dtype) -> np.ndarray:
    row = np.empty(length, dtype)
    data, filled = row.view(np.uint8), 0
    while got := stream.readinto(data[filled : filled + READ_CHUNK]):
        filled += got
    # The checksum is looked at when the end is reached.
    if filled != len(data) or stream.read(1):
        raise ValueError("a member ends early or late")
    return row


def _read_header(file: BinaryIO) -> tuple[str, tuple[int, ...], int]:
    """(type as the header spells it, shape, bytes before the data)."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise ValueError(f"it begins with {start!r}, expected \\x93NUMPY and version 1, 2 or 3")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > MAX_HEADER:
        raise ValueError(f"its header announces {length} bytes, expected at most {MAX_HEADER}")
    header = file.read(length)
    match = _HEADER.fullmatch(header.decode("latin-1"))
    if len(header) < length or match is None:
        raise ValueError(f"its header is not numpy's: {header[:60]!r}")
    sizes = [part.strip().rstrip("L") for part in match[3].split(",")]
    sizes = sizes if sizes[-1] else sizes[:-1]  # (3,) and ()
    if not all(re.fullmatch(r"\d{1,19}", part) for part in sizes):
        raise ValueError(f"its shape is ({match[3][:60]})")
    # The order of axes (match[2]) makes no difference to one row, and more are refused.
    return match[1].strip("'"), tuple(map(int, sizes)), 8 + width + length


def _row_type(what, descr: str, shape: tuple[int, ...], types: tuple[type, ...]) -> np.dtype:
    for kind in map(np.dtype, types):
        if len(shape) == 1 and descr in ("<" + kind.str[1:], "=" + kind.str[1:]):
            return kind
    expected = " or ".join(np.dtype(kind).name for kind in types)
    raise ValueError(f"{what} holds {_spoken(descr)} {shape}, expected one row of {expected}")


def _spoken(descr: str) -> str:
    """The type's name for messages: <i8 -> int64; of other types the header's own spelling."""
    match = re.fullmatch(r"([<>=|])([iufc])(\d{1,2})", descr)
    if match is None:
        return "Python objects" if descr in ("O", "|O") else f"values of type {descr[:60]!r}"
    name = f"{_KINDS[match[2]]}{8 * int(match[3])}"
    return f"big-endian {name}" if match[1] == ">" else name


def _open(path: Path) -> BinaryIO:
    try:
        # A pipe by this name would block.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"{path} is not a file")
        return open(path, "rb")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """What zipfile raises on damaged archives, as one sentence."""
    try:
        yield
    except (
        OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, struct.error,
        NotImplementedError, RuntimeError, OverflowError, IndexError, MemoryError,
    ) as error:  # fmt: skip
        raise ValueError(f"{path} is not a readable .npz file: {error}") from None
