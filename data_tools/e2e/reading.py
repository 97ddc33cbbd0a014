"""Files of E2E pairs: a meaning representation and a text that says it.

    X.csv      the columns mr and ref, as the E2E challenge has them; mr is linearised
    X.jsonl    {"context": "name : Blue Spice | ...", "completion": "..."}, or with the names
               context_text and completion_text
    others     name : Blue Spice | ...||text, a pair a line

An error names the file and the line. Texts are taken as they stand, without white space at the ends
of a line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from data_tools.e2e.meaning import linearised

COLUMNS = ("mr", "ref")


class Pair(NamedTuple):
    """line: where it is in its file, counted from 1. context: a linearised meaning."""

    line: int
    context: str
    completion: str


def read_pairs(path: str, *, may_be_empty: bool = False) -> list[Pair]:
    """The pairs of a file in their order; ValueError for what is no pair, and where there is none.

    may_be_empty: a pair's text may be empty.
    """
    kind = Path(path).suffix.lower()
    of_lines = {".csv": _of_csv, ".jsonl": _of_json}.get(kind, _of_text)
    pairs = []
    place = "?"
    try:
        for line, context, completion in of_lines(read_lines(path)):
            place = line
            if not context or not (completion or may_be_empty):
                what = "text" if context else "meaning representation"
                raise Unreadable(line, f"the {what} is empty")
            pairs.append(Pair(line, context, completion))
    except Unreadable as error:
        raise ValueError(f"{path}, line {error.line}: {error.told}") from None
    except csv.Error as error:
        raise ValueError(f"{path}, after line {place}: {error}") from None
    if not pairs:
        raise ValueError(f"{path} holds no pairs")
    return pairs


def grouped(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    """The texts of each meaning representation, in the order in which they first occur."""
    groups: dict[str, list[str]] = {}
    for pair in pairs:
        groups.setdefault(pair.context, []).append(pair.completion)
    return groups


def read_lines(path: str) -> list[str]:
    """The lines without their ends; a line ends at a line feed and nowhere else.

    ValueError where the file cannot be read, and with the line where it is not UTF-8.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        del lines[-1]  # the file ends with the end of a line
    try:
        text = []
        for line in lines:
            text.append(line.removesuffix(b"\r").decode())
        return text
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {len(text) + 1} is not UTF-8: {error.reason} at byte "
                         f"{error.start}") from None


class Unreadable(Exception):
    def __init__(self, line: int, told: str):
        super().__init__(told)
        self.line, self.told = line, told


def _of_text(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line:
            continue
        parts = line.split("||")
        if len(parts) != 2:
            told = "no ||" if len(parts) == 1 else f"{len(parts) - 1} times ||"
            raise Unreadable(number, f"expected 'name : Blue Spice | ...||text', got {told} in "
                             f"{line[:60]!r}")
        yield number, *parts


def _of_csv(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), strict=True)
    header = [name.strip() for name in next(reader, [])]
    for name in COLUMNS:
        if header.count(name) != 1:
            raise Unreadable(1, f"expected the columns {' and '.join(COLUMNS)}, got "
                             f"{', '.join(header) or 'none'}")
    places = [header.index(name) for name in COLUMNS]
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise Unreadable(reader.line_num, f"expected {len(header)} columns, got {len(row)}")
        mr, text = (row[place].strip() for place in places)
        try:
            yield reader.line_num, linearised(mr), " ".join(text.split("\n"))
        except ValueError as error:
            raise Unreadable(reader.line_num, str(error)) from None


def _of_json(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        texts = [record.get(f"{key}_text", record.get(key)) if isinstance(record, dict) else None
                 for key in ("context", "completion")]
        if not all(isinstance(text, str) for text in texts):
            raise Unreadable(number, 'expected {"context": "...", "completion": "..."} with texts, '
                             f"got {line[:60]!r}")
        yield number, *texts
