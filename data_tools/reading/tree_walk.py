"""A folder's files in sorted order, one at a time: memory holds no more than a few names."""

from __future__ import annotations

import heapq
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from data_tools.reading.globs import Globs

NAMES_IN_MEMORY = 100_000


class Found(NamedTuple):
    """A file under the name by which it was found, which tells its format.

    path: absolute, its input root without links. relative: the path's end, below that root.
    size: bytes. real: the path without any link, by which a file that is met twice is known.
    changed_ns: when it was last written, in nanoseconds since 1970; 0 where that is not known.
    """

    path: str
    relative: str
    size: int
    real: str
    changed_ns: int = 0


@dataclass(frozen=True)
class Choice:
    """Which files of a tree, or members of an archive, are taken; `exclude` wins.

    suffixes: in small letters, with the dot.
    """

    suffixes: tuple[str, ...]
    include: Globs
    exclude: Globs
    exclude_dirs: frozenset[str]

    @classmethod
    def of(
        cls,
        suffixes: Sequence[str],
        include: Sequence[str],
        exclude: Sequence[str],
        exclude_dirs: Sequence[str],
    ) -> Choice:
        return cls(tuple(suffixes), Globs(include), Globs(exclude), frozenset(exclude_dirs))

    def by_name(self, name: str) -> bool:
        return name.lower().endswith(self.suffixes)

    def by_path(self, relative: str) -> bool:
        """By the globs; relative: the path below the input root, or a member's in its archive."""
        if self.exclude and self.exclude.match(relative):
            return False
        return not self.include or self.include.match(relative)


def walk(root: str, choice: Choice) -> Iterator[Found]:
    """The files of a folder, then those of its folders; each folder's names are sorted.

    root: absolute, without links.
    Links to folders are not followed (they can loop), links to files are. A folder that cannot be
    read comes at the end and a dangling link in its place, as files of 0 bytes: reading them fails
    and is reported. Pipes and devices are passed over.
    """
    inside = os.path.join(root, "")
    unreadable: list[str] = []
    levels: list[Iterator[str]] = [iter([""])]  # of folders still to read, the deepest last
    while levels:
        relative = next(levels[-1], None)
        if relative is None:
            levels.pop()
            continue
        try:
            files, folders = _names(inside + relative, choice)
        except OSError:
            unreadable.append(relative)
            continue
        prefix = relative and f"{relative}/"
        for name in files:
            below = prefix + name
            if choice.by_path(below) and (found := _look_at(inside + below, below)):
                yield found
        levels.append(_below(prefix, folders, choice.exclude))
    for relative in unreadable:
        path = inside + relative if relative else root
        yield Found(path, relative or os.path.basename(root), 0, path)


def _names(folder: str, choice: Choice) -> tuple[SortedNames, SortedNames]:
    files, folders = SortedNames(), SortedNames()
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if name not in choice.exclude_dirs:
                    folders.add(name)
            elif choice.by_name(name):
                files.add(name)
    return files, folders


def _below(prefix: str, names: SortedNames, exclude: Globs) -> Iterator[str]:
    return (prefix + name for name in names if not exclude.match_all_below(prefix + name))


def _look_at(path: str, relative: str) -> Found | None:
    real = path
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            real = os.path.realpath(path)
            status = os.stat(real)
    except OSError:  # dangling, looping, or gone since it was listed
        return Found(path, relative, 0, real)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Found(path, relative, status.st_size, real, status.st_mtime_ns)


class SortedNames:
    """Collects names of one folder's entries and gives them sorted, as str sorts.

    More than NAMES_IN_MEMORY are kept in sorted runs in temporary files.
    """

    def __init__(self):
        self._names: list[str] = []
        self._runs: list = []

    def add(self, name: str) -> None:
        self._names.append(name)
        if len(self._names) >= NAMES_IN_MEMORY:
            self._runs.append(_written(sorted(self._names)))
            self._names = []

    def __iter__(self) -> Iterator[str]:
        self._names.sort()
        if not self._runs:
            return iter(self._names)
        return heapq.merge(*map(_read, self._runs), self._names)


def _written(names: list[str]):
    """A name as one line: a slash, which no name holds, stands for each newline in it."""
    file = tempfile.TemporaryFile(
        "w+", encoding="utf-8", errors="surrogateescape", newline="\n", buffering=1 << 16
    )
    file.writelines(name.replace("\n", "/") + "\n" for name in names)
    return file


def _read(file) -> Iterator[str]:
    file.seek(0)
    return (line[:-1].replace("/", "\n") for line in file)
