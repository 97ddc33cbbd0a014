"""The rows of a file of records, each with the place where it stands.

    X.json              a list of objects, or an object a line
    X.jsonl, X.ndjson   an object a line
    X.parquet           a row each (pip install pyarrow)

JSON is plain or packed as .gz, .zst, .xz or .bz2.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from data_tools.json_fields import parsed
from data_tools.reading.arrow_records import errors_of, import_pyarrow
from data_tools.reading.compressed import PACKED_ENDINGS, open_by_content
from data_tools.reading.raw_text import BYTE_ORDER_MARK

JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
ENDINGS = (*JSON_ENDINGS, ".parquet")
_ROWS = 256
_PIECE = 1 << 20
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"\s*")


def read_rows(path: str | os.PathLike) -> Iterator[tuple[str, dict]]:
    """(place, row) of each row in the file's order.

    place: "x.json, record 3", "x.jsonl, line 3" or "x.parquet, row 3", each counted from 1; lines
    that are blank count and give no row. ValueError, which names the place, for what cannot be
    read, for what is no object, and for a file without rows.
    """
    name, found = os.fspath(path), False
    try:
        for place, row in _reader(name)(name):
            found = True
            yield place, row
    except OSError as error:
        told = error.strerror or str(error).removeprefix(f"{name}: ")
        raise ValueError(f"{name} cannot be read: {told}") from None
    if not found:
        raise ValueError(f"{name} holds no records")


def format_of(name: str) -> str:
    """The ending that tells the format of a file of that name: the last one, or of a packed file
    the one before."""
    stem, ending = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] if ending in PACKED_ENDINGS else ending


def _reader(name: str):
    if name.lower().endswith(".parquet"):
        return _of_parquet
    if format_of(name) in JSON_ENDINGS:
        return _of_json
    raise ValueError(f"{name}: expected a name that ends in {', '.join(ENDINGS)}; JSON may be "
                     f"packed ({', '.join(PACKED_ENDINGS)})")


def _of_json(name: str) -> Iterator[tuple[str, dict]]:
    with open_by_content(name) as file:
        start = file.peek(_PIECE).removeprefix(BYTE_ORDER_MARK).lstrip()
        if start.startswith(b"["):
            yield from _of_list(name, file.read())
            return
        for number, line in enumerate(file, start=1):
            if line.removeprefix(BYTE_ORDER_MARK).strip():
                place = f"{name}, line {number}"
                yield place, _object(place, line)


def _of_list(name: str, content: bytes) -> Iterator[tuple[str, dict]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{name}, line {line} is not UTF-8: {error.reason}") from None
    place, sign, number = _after_space(text, text.index("[") + 1), ",", 0
    if text.startswith("]", place):
        sign, place = "]", place + 1
    while sign == ",":
        number += 1
        record = f"{name}, record {number}"
        end = _end_of_value(record, text, place)
        yield record, _object(record, text[place:end].encode())
        end = _after_space(text, end)
        sign, place = text[end : end + 1], _after_space(text, end + 1)
        if sign not in (",", "]"):
            raise ValueError(f"{record} is followed by {sign or 'the end of the file'!r}, expected "
                             "a comma or the end of the list")
    if text[place:].strip():
        raise ValueError(f"{name}: something stands behind the list of records")


def _after_space(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()


def _end_of_value(record: str, text: str, start: int) -> int:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        raise ValueError(f"{record}, which begins in line {text.count(chr(10), 0, start) + 1}, is "
                         f"no JSON: {error.msg} at line {error.lineno} column {error.colno}"
                         ) from None
    except RecursionError:
        raise ValueError(f"{record} is nested too deep") from None


def _object(place: str, content: bytes) -> dict:
    try:
        return parsed(content)
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} is not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{place} is no JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _of_parquet(name: str) -> Iterator[tuple[str, dict]]:
    pyarrow = import_pyarrow()
    from pyarrow import parquet

    with errors_of(pyarrow, name):
        file = parquet.ParquetFile(name)
    number = 0
    with file:
        batches = file.iter_batches(_ROWS)
        while True:
            with errors_of(pyarrow, name):
                batch = next(batches, None)
            if batch is None:
                return
            columns = {}
            for field, values in zip(batch.schema.names, batch.columns, strict=True):
                place = f"{name}: {field} in rows {number + 1} to {number + len(values)}"
                with errors_of(pyarrow, place):
                    # Arrow believes a file's offsets: on damaged ones the process would be killed.
                    values.validate(full=True)
                    columns[field] = values.to_pylist()
            for row in zip(*columns.values(), strict=True):
                number += 1
                yield f"{name}, row {number}", dict(zip(columns, row, strict=True))
