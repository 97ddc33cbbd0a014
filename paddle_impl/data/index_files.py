"""Index files: arrays that are built once, checked at every start and mapped by all processes.

    STEM_KIND_idx.npy   one array of each kind
    STEM_idx.json       key, sizes in bytes, shapes, types and Adler-32 of the files; written last
    .indexmap.lock      locked by the one process that builds in this folder

A file is written under a temporary name and renamed. The lock of a killed process is released, and
the next one to lock removes the temporary files that were left.
Adler-32 detects damage at 2 GB/s, which takes 0.1 s for the indices of 11e9 tokens.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from data_tools.files import whole_file

LOCK = ".indexmap.lock"
VERSION = 1  # of the arrays' format and meaning; part of every key, so other versions never match


def first_on_node(ranks) -> bool:
    """Whether this process is the first of its machine, or of the job if no launcher says which."""
    number = os.environ.get("PADDLE_RANK_IN_NODE") if ranks.world_size > 1 else None
    return ranks.is_main if number is None else int(number) == 0


@contextmanager
def main_first(ranks) -> Iterator[None]:
    """Run the block in the first process of each machine, then in the other processes, which find
    the files that the first has made.

    ranks: a Ranks. After an error in the first process the others run the block too.
    """
    first = first_on_node(ranks)
    if not first:
        ranks.barrier()
    try:
        yield
    finally:
        if first:
            ranks.barrier()


def open_or_build(
    stem: str,
    key: str,
    kinds: Sequence[str],
    build: Callable[[], Sequence[np.ndarray]],
    notes: list[str],
) -> list[np.ndarray]:
    """One array of each kind, mapped from index files, which are built if missing or damaged.

    stem: path and first part of the file names. key: a digest of everything that the arrays depend
    on. notes: gets a line about damaged files, and one if no files can be written; the arrays are
    then kept in memory.
    """
    arrays, damage = _open(stem, key, kinds)
    if arrays is not None:
        return arrays
    built = None
    try:
        with _locked(Path(stem).parent):
            arrays, damage = _open(stem, key, kinds)  # another process may have built meanwhile
            if arrays is not None:
                return arrays
            built = build()
            if damage:
                notes.append(f"{damage}; the index files are made again")
            _write(stem, key, kinds, built)
    except OSError as error:
        notes.append(f"no index files can be written to {Path(stem).parent} ({error.strerror}): "
                     "every process keeps its own index in memory")
        return list(build() if built is None else built)
    # Mapped, not `built`: the processes of a machine share mapped pages.
    return [_map(path) for path in _paths(stem, kinds)]


def _paths(stem: str, kinds: Sequence[str]) -> list[Path]:
    return [Path(f"{stem}_{kind}_idx.npy") for kind in kinds]


def _map(path: Path) -> np.ndarray:
    """The file as a plain array over the mapping: slicing an np.memmap is three times slower."""
    return np.asarray(np.lib.format.open_memmap(path, mode="r"))


def _open(
    stem: str, key: str, kinds: Sequence[str]
) -> tuple[list[np.ndarray] | None, str | None]:
    """(arrays, None), (None, what is wrong), or (None, None) where no build was finished."""
    try:
        about = Path(f"{stem}_idx.json")
        with open(about, encoding="utf-8-sig") as file:
            told = json.load(file)
        if told["key"] != key:
            return None, f"{about} has another key"
        arrays = []
        for kind, path in zip(kinds, _paths(stem, kinds), strict=True):
            if _sums(path) != [told[kind]["bytes"], told[kind]["adler32"]]:
                return None, f"{path} differs from what was written"
            array = _map(path)
            if [list(array.shape), str(array.dtype)] != [told[kind]["shape"], told[kind]["dtype"]]:
                return None, f"{path} holds {array.dtype} {array.shape}"
            arrays.append(array)
        return arrays, None
    except FileNotFoundError as error:
        path = Path(error.filename)
        return None, None if path == about else f"{path} is missing"
    except Exception as error:  # whatever numpy raises over what stands in place of a header
        return None, f"{about} or a file it names cannot be read ({error})"


def _write(stem: str, key: str, kinds: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
    for left in Path(stem).parent.glob(".*_indexmap_*.tmp"):
        left.unlink()
    told: dict = {"key": key}
    for kind, path, array in zip(kinds, _paths(stem, kinds), arrays, strict=True):
        with whole_file(path) as file:
            np.save(file, array)
        size, checksum = _sums(path)
        told[kind] = {"bytes": size, "adler32": checksum, "shape": list(array.shape),
                      "dtype": str(array.dtype)}
    with whole_file(f"{stem}_idx.json") as file:
        file.write(json.dumps(told).encode() + b"\n")


def _sums(path: Path) -> list[int]:
    """[bytes, Adler-32] of the whole file, header included."""
    checksum = 1
    with open(path, "rb") as file:
        while chunk := file.read(1 << 24):
            checksum = zlib.adler32(chunk, checksum)
        return [file.tell(), checksum]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; OSError if it cannot be written or its file system has no locks."""
    with open(folder / LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
