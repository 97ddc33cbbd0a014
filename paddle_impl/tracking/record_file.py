"""Files that grow by whole records: a full disk or a killed process leaves none cut in the middle.

Written in the caller's thread. The writers of visualdl and tensorboardX hand records to a thread,
and once that dies of a full disk their queue fills up and the training waits on it for ever.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from data_tools.files import whole_file


class RecordFile:
    """An open file; each record is in it, readable by others, when `append` returns."""

    def __init__(self, path: Path):
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, record: bytes) -> None:
        """Add the record; on OSError the file is as long as before, so a later call may succeed."""
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
    """Replace the file by one that holds these records, which may be read from it meanwhile."""
    with whole_file(path) as file:
        file.writelines(records)
