"""Records of JSON -> one text from each: an object a line, or an array of objects.

Records are counted from 1 (JSON lines by their lines), and a record that has no text is yielded
with its reason. Memory holds one record.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator

from data_tools.reading.raw_text import (
    BYTE_ORDER_MARK,
    TOO_LONG,
    UNREADABLE,
    Damaged,
    RawText,
    Rules,
)

BAD_LINE, BAD_RECORD = "bad JSON line", "bad record"
_PIECE = 1 << 20
_ARRAY_OF_OBJECTS = re.compile(rb"\s*\[\s*\{")
_BETWEEN = re.compile(r"[\s,]*")
_MARKS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


def holds_records(file: io.BufferedReader) -> bool:
    """Whether a JSON file is an array of objects, or most of its lines are objects.

    A file that is one object over several lines is no file of records. Looks at what lies in the
    file's buffer, and leaves the file at its start.
    """
    start = file.peek(_PIECE).removeprefix(BYTE_ORDER_MARK)
    if _ARRAY_OF_OBJECTS.match(start):
        return True
    *lines, last = start.split(b"\n")
    if not any(map(bytes.strip, lines)):  # one line, or the beginning of one
        return last.lstrip().startswith(b'{"')
    lines = [line for line in lines if line.strip()]
    return 2 * sum(map(_is_object, lines)) >= len(lines)


def read_json(name: str, file: io.BufferedReader, rules: Rules) -> Iterator[RawText]:
    """The texts of JSON lines that are not blank, or of an array's elements."""
    if file.peek(len(BYTE_ORDER_MARK)).startswith(BYTE_ORDER_MARK):
        file.read(len(BYTE_ORDER_MARK))
    if _ARRAY_OF_OBJECTS.match(file.peek(_PIECE)):
        yield from _Array(name, file, rules).texts()
        return
    for number, line in _lines(file, _longest(rules)):
        if line is None:
            yield RawText(f"{name}:{number}", b"", TOO_LONG)
        elif line.strip():
            yield _of_line(f"{name}:{number}", line, rules)


def _longest(rules: Rules) -> int:
    """Bytes, or characters, of one record: an escaped text takes about twice its own."""
    return 2 * rules.max_bytes + (1 << 16)


def _lines(file: io.BufferedReader, longest: int) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line), None for a line of more than `longest` bytes."""
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) <= longest or line.endswith(b"\n"):
            yield number, line
            continue
        del line
        yield number, None
        while (rest := file.readline(_PIECE)) and not rest.endswith(b"\n"):
            pass


def _of_line(name: str, line: bytes, rules: Rules) -> RawText:
    try:
        return _of_record(name, json.loads(line.decode("utf-8")), rules, BAD_LINE)
    except UnicodeDecodeError:
        return RawText(name, b"", "not UTF-8")
    except (ValueError, RecursionError):
        return RawText(name, b"", BAD_LINE)


def _of_record(name: str, record: object, rules: Rules, bad: str) -> RawText:
    if isinstance(record, dict) and rules.json_key not in record:
        return RawText(name, b"", rules.no_column)
    text = record[rules.json_key] if isinstance(record, dict) else None
    if not isinstance(text, str):
        return RawText(name, b"", bad)
    # JSON can escape half a surrogate pair; such bytes then fail as not UTF-8.
    return rules.checked(name, text.encode("utf-8", "surrogatepass"))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class _Array:
    """The elements of a JSON array, decoded one at a time from a buffer that is filled on."""

    def __init__(self, name: str, file: io.BufferedReader, rules: Rules):
        self._name, self._file, self._rules = name, file, rules
        # Bytes that are not UTF-8 become surrogates, with which a text then fails as not UTF-8.
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._buffer, self._place = "", 0

    def texts(self) -> Iterator[RawText]:
        self._next_sign()  # the bracket
        self._place += 1
        number = 0
        while (sign := self._next_sign()) and sign != "]":
            number += 1
            yield self._element(f"{self._name}:{number}")
        self._place += 1
        if not sign or self._next_sign():  # it ends early, or something stands behind it
            yield RawText(self._name, b"", UNREADABLE)

    def _element(self, name: str) -> RawText:
        longest = _longest(self._rules)
        while True:
            try:
                record, self._place = json.JSONDecoder().raw_decode(self._buffer, self._place)
                return _of_record(name, record, self._rules, BAD_RECORD)
            except RecursionError:
                self._pass_element()
                return RawText(name, b"", BAD_RECORD)
            except ValueError:  # it goes on behind the buffer, or is no JSON
                if len(self._buffer) - self._place > longest:
                    self._pass_element()
                    return RawText(name, b"", TOO_LONG)
                if not self._more(len(self._buffer) - self._place):
                    raise Damaged(f"{name} is cut short or no JSON") from None

    def _next_sign(self) -> str:
        """The next character that is neither white space nor a comma; "" at the file's end."""
        while True:
            self._place = _BETWEEN.match(self._buffer, self._place).end()
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if not self._more():
                return ""

    def _more(self, size: int = 0) -> bool:
        """Read on, `size` bytes or a piece: what is there already is then decoded but twice."""
        data = self._file.read(max(size, _PIECE))
        self._buffer = self._buffer[self._place :] + self._utf8.decode(data)
        self._place = 0
        return bool(data)

    def _pass_element(self) -> None:
        """Go behind the element at the place, by its brackets and quotes alone."""
        depth, quoted = 0, False
        while True:
            end = self._place
            for mark in _MARKS.finditer(self._buffer, self._place):
                sign, end = mark[0], mark.end()
                quoted ^= sign == '"'
                if not quoted and sign in '"{}[]':
                    depth += {"{": 1, "[": 1, "}": -1, "]": -1, '"': 0}[sign]
                    if depth == 0:
                        self._place = end
                        return
            cut = self._buffer.endswith("\\") and end < len(self._buffer)
            self._place = len(self._buffer) - cut
            if not self._more():
                raise Damaged(f"{self._name} ends within an element")
