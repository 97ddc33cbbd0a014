"""One text of a file, an archive or a file of records."""

from __future__ import annotations

from typing import NamedTuple

UNREADABLE = "unreadable"


class RawText(NamedTuple):
    """`problem` is None or the reason why `data` is empty. name: path, path:member, path:row."""

    name: str
    data: bytes
    problem: str | None = None
