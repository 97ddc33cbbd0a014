"""One text of a file, an archive or a file of records, and the rules by which texts are read."""

from __future__ import annotations

import codecs
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

UNREADABLE = "unreadable"
TOO_LONG = "longer than --max_document_bytes"
MAX_DOCUMENT_BYTES = 1 << 27
BYTE_ORDER_MARK = codecs.BOM_UTF8
_PIECE = 1 << 20


class Damaged(OSError):
    """The content of a file, or of a member, is not what its name says, or is cut short."""


class RawText(NamedTuple):
    """`problem` is None or the reason why `data` is empty. name: path, path:member, path:row.

    continues: it goes on where the text before it ended, whose name it has.
    """

    name: str
    data: bytes
    problem: str | None = None
    continues: bool = False


@dataclass
class Rules:
    """How texts are read.

    json_key: key or column of a record's text. max_bytes: of one document. divider: matches the
    lines between documents, where a text may hold several; without it a text is one document.
    """

    json_key: str = "text"
    max_bytes: int = MAX_DOCUMENT_BYTES
    divider: re.Pattern[bytes] | None = None
    warned: bool = False

    @property
    def no_column(self) -> str:
        """The reason why a record without the key is left out."""
        return f"no column {self.json_key!r} (--json_key)"

    def checked(self, name: str, data: bytes) -> RawText:
        """The text of a record, unless it is too long."""
        too_long = len(data) > self.max_bytes
        return RawText(name, b"", TOO_LONG) if too_long else RawText(name, data)

    def warn_of_records(self, name: str, data: bytes) -> None:
        """Warn, once, where every line of a text is a JSON object."""
        if self.warned or not re.match(rb"\s*\{", data) or not _all_objects(data):
            return
        self.warned = True
        warnings.warn(f"{name} is read as one text, though every line of it is a JSON object: "
                      "records are read from files that are called .jsonl, .ndjson or .json",
                      stacklevel=2)


def read_text(name: str, file: BinaryIO, rules: Rules) -> Iterator[RawText]:
    """The text of a file, without a byte order mark.

    Where it is longer than one document may be and has dividing lines, it comes in several pieces
    of whole documents. The file may be left before its end.
    """
    data = read_up_to(file, rules.max_bytes + 1 + len(BYTE_ORDER_MARK))
    data = data.removeprefix(BYTE_ORDER_MARK)
    if len(data) <= rules.max_bytes:
        rules.warn_of_records(name, data)
        yield RawText(name, data)
    elif rules.divider is None:
        yield RawText(name, b"", TOO_LONG)
    else:
        yield from _pieces(name, data, file, rules)


def read_up_to(file: BinaryIO, size: int) -> bytes:
    """The next `size` bytes, or what there is; memory is taken for what comes."""
    pieces = []
    while size and (piece := file.read(min(size, _PIECE))):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _pieces(name: str, data: bytes, file: BinaryIO, rules: Rules) -> Iterator[RawText]:
    """data: the beginning of the text, longer than one document may be."""
    continues = False
    while data:
        end, is_last = 0, len(data) <= rules.max_bytes
        for divider in rules.divider.finditer(data):
            end = divider.end()
        if is_last or end:
            end = len(data) if is_last else end
            yield RawText(name, data[:end], None, continues)
            data = data[end:]
        else:
            yield RawText(name, b"", TOO_LONG, continues)
            _pass_divider(file, rules.divider, data[data.rfind(b"\n") + 1 :])
            data = b""
        continues = True
        data += read_up_to(file, max(0, rules.max_bytes + 1 - len(data)))


def _pass_divider(file: BinaryIO, divider: re.Pattern[bytes], line: bytes) -> None:
    """Read up to the end of the next dividing line. line: the beginning of one."""
    line += file.readline(_PIECE)
    begins = True
    while line and not (begins and divider.fullmatch(line)):
        begins = line.endswith(b"\n")
        line = file.readline(_PIECE)


def _all_objects(data: bytes) -> bool:
    try:
        return all(isinstance(json.loads(line), dict) for line in data.split(b"\n") if line.strip())
    except (ValueError, RecursionError):
        return False
