"""Files of texts, each with a label.

    X.csv              columns with commas between them, quoted where a text holds commas or lines
    X.tsv, .txt, X     columns with tabs between them; quotation marks are characters like others
    X.jsonl, .ndjson   {"text": "...", "label": "..."}; a label may be a whole number too

An error names the file, the line and the field. Texts are taken as they stand.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data_tools.e2e.reading import Unreadable, read_lines
from data_tools.json_fields import parsed, shown

TEXT_NAMES = ("text", "sentence", "message", "content", "review")
LABEL_NAMES = ("label", "class", "category", "target")
_JSON, _CSV, _TABS = (".jsonl", ".ndjson"), (".csv",), (".tsv", ".txt", "")
_LONGEST = 1 << 26  # characters of a field; the module csv refuses more than 131,072 by default


class Labelled(NamedTuple):
    """line: where it begins in its file, counted from 1."""

    label: str
    text: str
    line: int


@dataclass(frozen=True)
class Columns:
    """Where text and label stand.

    text, label: names of columns or their numbers from 1; None for the usual names, or of two
    columns without a header the second and the first. header: whether the
    first line has the names; None to tell by them. legacy_quoting: quotation marks of a file with
    tabs are read as pandas reads them by default, so that a text may run over several lines.
    """

    text: str | None = None
    label: str | None = None
    header: bool | None = None
    legacy_quoting: bool = False


def read_labelled(path: str, columns: Columns | None = None) -> list[Labelled]:
    """The texts in the file's order; ValueError for what is none, and where there is none."""
    kind, columns = Path(path).suffix.lower(), columns or Columns()
    if kind not in (*_JSON, *_CSV, *_TABS):
        raise ValueError(f"{path}: expected a name that ends in .csv, .tsv, .txt or .jsonl")
    try:
        lines = read_lines(path)
        found = list(_of_json(lines, columns) if kind in _JSON
                     else _of_table(_rows(lines, kind, columns), columns))
    except Unreadable as error:
        raise ValueError(f"{path}, line {error.line}: {error.told}") from None
    if not found:
        raise ValueError(f"{path} holds no texts")
    return found


def _rows(lines: list[str], kind: str, columns: Columns) -> Iterator[tuple[int, list[str]]]:
    """The line at which a row begins, and its cells; lines without anything are left out."""
    if kind in _TABS and not columns.legacy_quoting:
        yield from ((number, line.split("\t")) for number, line in enumerate(lines, start=1)
                    if line.strip())
        return
    if kind in _CSV and columns.legacy_quoting:
        raise Unreadable(1, "--legacy_quoting is for files with tabs: a .csv is quoted anyway")
    delimiter = "," if kind in _CSV else "\t"
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter,
                        strict=kind in _CSV)
    before, limit = 0, csv.field_size_limit(_LONGEST)
    try:
        for row in reader:
            if row:
                yield before + 1, row
            before = reader.line_num
    except csv.Error as error:
        raise Unreadable(before + 1, f"no row of a table begins here: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _of_table(rows: Iterator[tuple[int, list[str]]], columns: Columns) -> Iterator[Labelled]:
    first = next(rows, None)
    if first is None:
        return
    header, text, label = _places(*first, columns)
    width = len(first[1])
    for line, row in ([] if header else [first]):
        yield _labelled(line, row[label], row[text])
    for line, row in rows:
        if len(row) != width:
            raise Unreadable(line, f"expected {width} columns, got {len(row)}")
        yield _labelled(line, row[label], row[text])


def _places(line: int, first: list[str], columns: Columns) -> tuple[bool, int, int]:
    """Whether the first row is a header, and the numbers of the columns of text and label."""
    names = [name.strip() for name in first]
    asked = (("text", columns.text, TEXT_NAMES), ("label", columns.label, LABEL_NAMES))
    by_name = any(given is not None and not given.isdecimal() for _, given, _ in asked)
    header = columns.header
    if header is None:
        header = by_name or all(_is_name(names, _found(names, given, known), known)
                                for _, given, known in asked)
    if by_name and not header:
        raise Unreadable(line, "--text_column and --label_column are numbers from 1 in a file "
                         "without a header")
    places = [_found(names, given, known) if header or given else place
              for (_, given, known), place in zip(asked, (1, 0), strict=True)]
    if len(first) == 2 and places.count(None) == 1 and not any(
            given for (_, given, _), place in zip(asked, places, strict=True) if place is None):
        places = [1 - sum(place or 0 for place in places) if place is None else place
                  for place in places]
    for (field, given, _), place in zip(asked, places, strict=True):
        if place is None or place >= len(first) or not header and not given and len(first) != 2:
            raise Unreadable(line, f"which of the {len(first)} columns is the {field}? There are "
                             f"{', '.join(map(shown, names))}: name it with --{field}_column")
    if places[0] == places[1]:
        raise Unreadable(line, f"text and label are the same column, {shown(names[places[0]])}")
    return header, *places


def _is_name(names: list[str], place: int | None, known: tuple[str, ...]) -> bool:
    return place is not None and place < len(names) and names[place].lower() in known


def _found(names: list[str], given: str | None, known: tuple[str, ...]) -> int | None:
    """The place of the column, counted from 0; None where it is not there, or there twice."""
    if given is not None and given.isdecimal():
        return int(given) - 1 if int(given) else None
    wanted = known if given is None else (given.lower(),)
    there = [place for place, name in enumerate(names) if name.lower() in wanted]
    return there[0] if len(there) == 1 else None


def _of_json(lines: list[str], columns: Columns) -> Iterator[Labelled]:
    if columns.header is not None or columns.legacy_quoting:
        raise Unreadable(1, "--header and --legacy_quoting are for tables, not for JSON lines")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = parsed(line.encode())
        except ValueError as error:
            raise Unreadable(number, f"expected a JSON object: {error}") from None
        text = _value(record, "text", columns.text, TEXT_NAMES, number)
        label = _value(record, "label", columns.label, LABEL_NAMES, number)
        if not isinstance(text, str):
            raise Unreadable(number, f"the text is {shown(text)}, expected a text")
        if type(label) not in (str, int):
            raise Unreadable(number, f"the label is {shown(label)}, expected a text or a whole "
                             "number")
        yield _labelled(number, str(label), text)


def _value(record: dict, field: str, given: str | None, known: tuple[str, ...], line: int):
    names = [name for name in (known if given is None else (given,)) if name in record]
    if len(names) != 1:
        raise Unreadable(line, f"there is no {given or field} among {', '.join(record) or 'no'} "
                         f"fields: name that of the {field} with --{field}_column")
    return record[names[0]]


def _labelled(line: int, label: str, text: str) -> Labelled:
    for field, value in (("label", label), ("text", text)):
        if not value.strip():
            raise Unreadable(line, f"the {field} is empty")
    return Labelled(label.strip(), text, line)
