"""Input paths -> raw texts, as bytes: folders, single files, archives, JSON lines.

Nothing here decides whether a text is any good; corpus.py does. A source that cannot be
read is yielded with its reason instead of raised, so that one broken file in four million
does not end a day's run.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
JSON_ENDINGS = (".jsonl", ".zst")  # .zst is JSON lines, compressed
READ_ERRORS = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile)


class RawText(NamedTuple):
    """One text as it was found; `problem` is None or the reason why `data` is empty."""

    name: str
    data: bytes
    problem: str | None = None


def find_files(
    paths: Sequence[str | os.PathLike], suffixes: Sequence[str], exclude_dirs: Sequence[str] = ()
) -> list[str]:
    """Real paths of all input files, each once, in an order that only the tree decides.

    Folders are walked in sorted order and give the files with one of `suffixes`; a file named
    outright is taken whatever its suffix. Links to folders are not followed (they can loop).
    An unreadable folder or a dangling link stays in the list: reading it reports it.
    """
    found: dict[str, None] = {}
    for path in map(os.fspath, paths):
        if os.path.isdir(path):
            found.update(dict.fromkeys(_walk(path, tuple(suffixes), exclude_dirs)))
        elif os.path.isfile(path):
            found[os.path.realpath(path)] = None
        elif os.path.exists(path):
            raise ValueError(f"input path {path!r} is neither a file nor a folder")
        else:
            raise ValueError(f"input path {path!r} does not exist")
    if any(path.lower().endswith(".zst") for path in found):
        _zstandard()
    return list(found)


def _walk(root: str, suffixes: tuple[str, ...], exclude_dirs: Sequence[str]) -> Iterator[str]:
    unreadable: list[str] = []
    # The root is made real once, so only links below it need a realpath of their own.
    walk = os.walk(os.path.realpath(root), onerror=lambda error: unreadable.append(error.filename))
    for folder, subfolders, names in walk:
        subfolders[:] = sorted(name for name in subfolders if name not in exclude_dirs)
        for name in sorted(names):
            if not name.lower().endswith(suffixes):
                continue
            path = os.path.join(folder, name)
            if os.path.islink(path):
                path = os.path.realpath(path)
            if os.path.isfile(path) or not os.path.exists(path):  # no pipes, no devices
                yield path
    yield from unreadable


def read_texts(path: str, suffixes: Sequence[str], json_key: str) -> Iterator[RawText]:
    """The texts of one file: one, or one per archive member or JSON line, in stored order."""
    name = path.lower()
    try:
        if name.endswith(JSON_ENDINGS):
            yield from _read_json_lines(path, json_key)
        elif name.endswith(TAR_ENDINGS):
            yield from _read_tar(path, tuple(suffixes))
        elif name.endswith(".zip"):
            yield from _read_zip(path, tuple(suffixes))
        else:
            with open(path, "rb") as file:
                yield RawText(path, file.read())
    except READ_ERRORS:
        yield RawText(path, b"", "unreadable")


def _read_tar(path: str, suffixes: tuple[str, ...]) -> Iterator[RawText]:
    with tarfile.open(path, "r|*") as archive:
        while (member := archive.next()) is not None:
            # tarfile keeps every header it has seen: gigabytes, at millions of members.
            archive.members.clear()
            if member.isreg() and member.name.lower().endswith(suffixes):
                yield RawText(f"{path}:{member.name}", archive.extractfile(member).read())


def _read_zip(path: str, suffixes: tuple[str, ...]) -> Iterator[RawText]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.lower().endswith(suffixes):
                continue
            name = f"{path}:{member.filename}"
            try:
                yield RawText(name, archive.read(member))
            except (*READ_ERRORS, RuntimeError):  # encrypted, or a method this Python lacks
                yield RawText(name, b"", "unreadable")


def _read_json_lines(path: str, key: str) -> Iterator[RawText]:
    with _open_lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            name = f"{path}:{number}"
            if not line.strip():
                continue
            try:
                record = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError:
                yield RawText(name, b"", "not UTF-8")
                continue
            except (ValueError, RecursionError):
                record = None
            text = record.get(key) if isinstance(record, dict) else None
            if isinstance(text, str):
                # JSON can escape half a surrogate pair; such bytes then fail as not UTF-8.
                yield RawText(name, text.encode("utf-8", "surrogatepass"))
            else:
                yield RawText(name, b"", "bad JSON line")


def _open_lines(path: str) -> io.BufferedIOBase:
    if not path.lower().endswith(".zst"):
        return open(path, "rb")
    zstandard = _zstandard()

    class Reader(io.RawIOBase):
        """zstandard's stream with its own error type turned into OSError."""

        def __init__(self) -> None:
            self.file = open(path, "rb")
            decompressor = zstandard.ZstdDecompressor()
            self.stream = decompressor.stream_reader(self.file, read_across_frames=True)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            try:
                return self.stream.readinto(buffer)
            except zstandard.ZstdError as error:
                raise OSError(f"{path}: {error}") from error

        def close(self) -> None:
            self.file.close()
            super().close()

    return io.BufferedReader(Reader(), 1 << 20)


def _zstandard():
    try:
        import zstandard
    except ImportError:
        raise ValueError(
            "reading .zst needs the package zstandard: pip install zstandard"
        ) from None
    return zstandard
