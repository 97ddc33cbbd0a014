"""Files to which only whole records are appended, even when the disk is full.

The caller's thread writes. The writers of visualdl and tensorboardX use a thread of their own: if
it dies of a full disk, their queue fills up and the training waits for ever.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from data_tools.files import whole_file


class RecordFile:
    """An open file. When `append` returns, other processes can read the record."""

    def __init__(self, path: Path):
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, record: bytes) -> None:
        """Append the record. On OSError the file keeps its length, so a later call may succeed."""
        end = os.fstat(self._descriptor).st_size
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest):]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, end)
            raise

    def close(self) -> None:
        os.close(self._descriptor)


def rewrite(path: Path, records: Iterable[bytes]) -> None:
    """Replace the file by one with these records, which may be read lazily from the old file."""
    with whole_file(path) as file:
        file.writelines(records)
