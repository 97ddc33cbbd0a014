"""A file -> raw texts, as bytes: itself, or what an archive or a record file holds.

corpus.py decides whether a text is used. A file that cannot be read is yielded with the reason
instead of raising an error, so that one broken file in four million does not end a long run.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator

from data_tools.reading.archives import read_tar, read_zip
from data_tools.reading.arrow_records import ARROW_ENDINGS, import_pyarrow, read_rows
from data_tools.reading.compressed import PACKED_ENDINGS, import_zstandard
from data_tools.reading.contents import is_plain, texts_of
from data_tools.reading.raw_text import (
    BYTE_ORDER_MARK,
    UNREADABLE,
    RawText,
    Rules,
    read_text,
)

TAR_ENDINGS = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", *(".tar" + end for end in PACKED_ENDINGS))
_READ_ERRORS = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile)


def require_packages(path: str) -> None:
    """ValueError where reading a file of that name needs a package that is not installed."""
    name = path.lower()
    if name.endswith(".zst"):
        import_zstandard()
    elif name.endswith(ARROW_ENDINGS):
        import_pyarrow()


def read_texts(
    path: str, size: int, takes: Callable[[str], bool], rules: Rules
) -> Iterator[RawText]:
    """The texts of one file: one, or one per archive member or record, in stored order.

    size: what the file is expected to have, in bytes. takes: which members are wanted, by name.
    Where a file is damaged, the texts before the damage are followed by one that is "unreadable". A
    .zip or .parquet that was cut short gives no others, because its table stands at its end.
    """
    name = path.lower()
    try:
        if name.endswith(TAR_ENDINGS):
            yield from read_tar(path, takes, rules)
        elif name.endswith(".zip"):
            yield from read_zip(path, takes, rules)
        elif name.endswith(ARROW_ENDINGS):
            yield from read_rows(path, rules)
        elif is_plain(name):
            yield from _read_file(path, size, rules)
        else:
            with open(path, "rb") as file:
                yield from texts_of(path, file, rules)
    except _READ_ERRORS:
        yield RawText(path, b"", UNREADABLE)


def _read_file(path: str, size: int, rules: Rules) -> Iterator[RawText]:
    data = _whole(path, size) if size <= rules.max_bytes else None
    if data is None:
        with open(path, "rb") as file:
            yield from read_text(path, file, rules)
        return
    data = data.removeprefix(BYTE_ORDER_MARK)
    rules.warn_of_records(path, data)
    yield RawText(path, data)


def _whole(path: str, size: int) -> bytes | None:
    """Three system calls for a file that has the expected size, since a corpus has millions of
    them; None for one that has changed."""
    file = os.open(path, os.O_RDONLY)
    try:
        # One byte more than expected: when exactly `size` come, that was the end.
        data = os.read(file, size + 1)
        return data if len(data) == size else None
    finally:
        os.close(file)
