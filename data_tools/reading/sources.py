"""A file -> raw texts, as bytes: itself, or what an archive or a record file holds.

corpus.py decides whether a text is used. A file that cannot be read is yielded with the reason
instead of raising an error, so that one broken file in four million does not end a long run.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

from data_tools.reading.compressed import import_zstandard, open_by_content
from data_tools.reading.raw_text import UNREADABLE, RawText
from data_tools.reading.record_readers import (
    import_pyarrow,
    read_arrow,
    read_json_lines,
    read_parquet,
)

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.zst")
# .zst is JSON lines, compressed, as the source system has it.
JSON_ENDINGS = (".jsonl", ".zst", ".jsonl.gz", ".json.gz")
ARROW_ENDINGS = (".parquet", ".arrow")
STREAM_ENDINGS = (*TAR_ENDINGS, *JSON_ENDINGS, *ARROW_ENDINGS, ".zip")
_READ_ERRORS = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile)
_CHUNK = 1 << 20


def require_packages(path: str) -> None:
    """ValueError where reading a file of that name needs a package that is not installed."""
    name = path.lower()
    if name.endswith(".zst"):
        import_zstandard()
    elif name.endswith(ARROW_ENDINGS):
        import_pyarrow()


def read_texts(
    path: str, size: int, takes: Callable[[str], bool], json_key: str
) -> Iterator[RawText]:
    """The texts of one file: one, or one per archive member or record, in stored order.

    size: what the file is expected to have, in bytes. takes: which members are wanted, by name.
    Where a file is damaged, the texts before the damage are followed by one that is "unreadable". A
    .zip or .parquet that was cut short gives no others, because its table stands at its end.
    """
    name = path.lower()
    try:
        if not name.endswith(STREAM_ENDINGS):
            yield RawText(path, _read_file(path, size))
        elif name.endswith(TAR_ENDINGS):
            yield from _read_tar(path, takes)
        elif name.endswith(".zip"):
            yield from _read_zip(path, takes)
        elif name.endswith(".parquet"):
            yield from read_parquet(path, json_key)
        elif name.endswith(".arrow"):
            yield from read_arrow(path, json_key)
        else:
            yield from read_json_lines(path, json_key)
    except _READ_ERRORS:
        yield RawText(path, b"", UNREADABLE)


def _read_file(path: str, size: int) -> bytes:
    """Three system calls for a file that has the expected size; a corpus has millions of them."""
    file = os.open(path, os.O_RDONLY)
    try:
        # One byte more than expected: when exactly `size` come, that was the end.
        data = os.read(file, size + 1)
        if len(data) == size:
            return data
        parts = [data]
        while data:
            data = os.read(file, _CHUNK)
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(file)


def _read_tar(path: str, takes: Callable[[str], bool]) -> Iterator[RawText]:
    with open_by_content(path) as file:
        with _parsing():
            archive = tarfile.open(fileobj=file, mode="r|*")
        with archive:
            for member in _members(archive):
                if member.isreg() and takes(member.name):
                    with _parsing():
                        data = archive.extractfile(member).read()
                    yield RawText(f"{path}:{member.name}", data)
            while file.read(_CHUNK):  # a checksum stands behind what is packed
                pass


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """All members. Opening has read the first, which archive.next() gives.

    archive.next() does not read the others: it keeps every header, which takes gigabytes for
    millions of members, and it takes a damaged or missing header for the end of the archive.
    """
    member = archive.next()
    while member is not None:
        yield member
        with _parsing():
            archive.fileobj.seek(archive.offset)
            try:
                member = tarfile.TarInfo.fromtarfile(archive)
            except tarfile.EOFHeaderError:  # the block of zeros that ends an archive
                return


def _read_zip(path: str, takes: Callable[[str], bool]) -> Iterator[RawText]:
    with _parsing():
        archive = zipfile.ZipFile(path)
    with archive:
        for member in archive.infolist():
            if member.is_dir() or not takes(member.filename):
                continue
            name = f"{path}:{member.filename}"
            try:
                data = archive.read(member)
            except Exception:  # whatever its decompressors raise; also encrypted, unknown methods
                yield RawText(name, b"", UNREADABLE)
                continue
            yield RawText(name, data)


@contextlib.contextmanager
def _parsing() -> Iterator[None]:
    """Turns the various errors of zipfile and tarfile over damaged bytes into OSError."""
    try:
        yield
    except (ValueError, OverflowError, struct.error, RuntimeError) as error:
        raise OSError(str(error)) from error
