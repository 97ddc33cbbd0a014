"""Index files: arrays built once, checked at every start, and mapped by all processes.

    STEM_KIND_idx.npy   one array of each kind
    STEM_idx.json       key, sizes in bytes, shapes, types and Adler-32 of the files; written last
    .indexmap.lock      held by the one process that builds in this folder

A file is written under a temporary name and renamed. A killed builder frees the lock, and
whoever holds it next removes what was left: no two builders are ever at work in one folder.
Adler-32 finds any damage, at 2 GB/s: 0.1 s for the indices of 11e9 tokens.
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
VERSION = 1  # of what the arrays mean, in every key: files of another version are not opened


def first_on_node(ranks) -> bool:
    """Whether this process is the first of its machine; without a launcher's word, of the job."""
    number = os.environ.get("PADDLE_RANK_IN_NODE") if ranks.world_size > 1 else None
    return ranks.is_main if number is None else int(number) == 0


@contextmanager
def main_first(ranks) -> Iterator[None]:
    """The block runs in the first process of each machine, then in its others, which find files.

    ranks: as paddle_impl.parallel.ranks.Ranks. An error in the first is met by the others too.
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
    """One array of each kind, mapped from index files; they are built where they are not right.

    stem: path and beginning of the names. key: whatever shapes the arrays. `notes` gets a line
    for files that were damaged, and one where none can be written: then the arrays stay in memory.
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
        notes.append(f"{Path(stem).parent} takes no index files ({error.strerror}): every process "
                     "keeps its own in memory")
        return list(build() if built is None else built)
    # Mapped, the processes of a machine share them.
    return [_map(path) for path in _paths(stem, kinds)]


def _paths(stem: str, kinds: Sequence[str]) -> list[Path]:
    return [Path(f"{stem}_{kind}_idx.npy") for kind in kinds]


def _map(path: Path) -> np.ndarray:
    """A plain array: slices of an np.memmap take three times as long."""
    return np.asarray(np.lib.format.open_memmap(path, mode="r"))


def _open(
    stem: str, key: str, kinds: Sequence[str]
) -> tuple[list[np.ndarray] | None, str | None]:
    """(arrays, None), (None, what is wrong), or (None, None) where no build was finished."""
    try:
        about = Path(f"{stem}_idx.json")
        with open(about, encoding="utf-8") as file:
            told = json.load(file)
        if told["key"] != key:
            return None, f"{about} is of something else"
        arrays = []
        for kind, path in zip(kinds, _paths(stem, kinds), strict=True):
            if _sums(path) != [told[kind]["bytes"], told[kind]["adler32"]]:
                return None, f"{path} is not what was written"
            array = _map(path)
            if [list(array.shape), str(array.dtype)] != [told[kind]["shape"], told[kind]["dtype"]]:
                return None, f"{path} holds {array.dtype} {array.shape}"
            arrays.append(array)
        return arrays, None
    except FileNotFoundError as error:
        path = Path(error.filename)
        return None, None if path == about else f"{path} is missing"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
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
    """OSError where the folder takes no files, or its file system no locks."""
    with open(folder / LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
