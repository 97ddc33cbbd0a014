"""JSON lines that survive a kill: what a run has paid for and another run should not pay again."""

from __future__ import annotations

import json
import os
from pathlib import Path

from data_tools.files import lock_file, unlock_file
from data_tools.json_fields import parsed


def json_line(record: dict) -> bytes:
    """The record as a line of JSON. Half a surrogate pair, which UTF-8 cannot hold, is escaped."""
    return json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


class LineJournal:
    """Records in a file, a line each, which are appended one by one; use as a context manager.

    records: those of earlier runs and of this one. A line that a killed process left unfinished is
    removed. ValueError where another process has the file, or where a line is no JSON object.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.records: list[dict] = []

    def __enter__(self) -> LineJournal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_path = self.path.with_name(f".{self.path.name}.lock")
        try:
            self._lock = lock_file(self._lock_path)
        except BlockingIOError as holder:
            raise ValueError(f"{self.path} is in use by {holder}: wait for its end, or name "
                             "another file") from None
        try:
            self._file = open(self.path, "a+b")
            self._read()
        except BaseException:
            self.__exit__()
            raise
        return self

    def append(self, record: dict) -> None:
        """Add a record; it is in the file when this returns, also for a kill."""
        self._file.write(json_line(record))
        self._file.flush()
        self.records.append(record)

    def __exit__(self, *_) -> None:
        if hasattr(self, "_file"):
            self._file.close()
        if self._lock is not None:
            unlock_file(self._lock_path, self._lock)

    def _read(self) -> None:
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                self._file.truncate(whole)
                break
            whole += len(line)
            try:
                self.records.append(parsed(line))
            except ValueError as error:
                raise ValueError(f"{self.path}, line {number} cannot be read: {error}; mend the "
                                 "line, or remove the file to begin anew") from None
