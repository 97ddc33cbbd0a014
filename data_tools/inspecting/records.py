"""One record of a file or folder of records, drawn at random, with all its fields."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial

from data_tools.reading.arrow_records import import_pyarrow
from data_tools.reading.compressed import open_by_content
from data_tools.reading.file_list import FileList

ENDINGS = (".parquet", ".arrow", ".jsonl", ".ndjson")
_TEXT = "content"  # CodeParrot's column of the text
_MAGIC = b"ARROW1"
# The number of records that lie together, and what reads one of them by its number among these.
Part = tuple[int, Callable[[int], dict]]


def drawn_record(path: str, seed: int) -> tuple[str, dict]:
    """(where it stands, its fields) of a record, each with the same chance, by the seed.

    path: a file whose name has one of ENDINGS (JSON lines packed or not), or a folder of such
    files, one that datasets saved too. Only the records' numbers are read of all of them.
    ValueError where there is none, or where one cannot be read.
    """
    draw, total, chosen = random.Random(seed).random, 0, None
    for file in FileList.find([path], suffixes=ENDINGS):
        first = 1
        for count, read in _parts(file):
            total += count
            if draw() * total < count:  # each part by its share of the records so far
                row = int(draw() * count)
                chosen = f"{file}:{first + row}", partial(read, row)
            first += count
    if chosen is None:
        raise ValueError(f"{path} holds no records: expected {', '.join(ENDINGS)} with some")
    place, read = chosen
    try:
        record = read()
    except ValueError as error:
        raise ValueError(f"{place} cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{place} is no object of fields")
    return place, record


def lines(place: str, record: dict) -> list[str]:
    """The record for people: a line for each short field, the text of the code last."""
    short = {name: value for name, value in record.items() if name != _TEXT}
    out = [place, *(f"{name.upper()}: {value}" for name, value in short.items())]
    return out + ([f"{_TEXT.upper()}:", str(record[_TEXT])] if _TEXT in record else [])


def _parts(file: str) -> Iterator[Part]:
    name = file.lower()
    if name.endswith(".parquet"):
        import_pyarrow()
        from pyarrow import parquet

        table = parquet.ParquetFile(file)
        for group in range(table.num_row_groups):
            yield table.metadata.row_group(group).num_rows, partial(_of_group, table, group)
    elif name.endswith(".arrow"):
        yield from _batches(file)
    else:
        with open_by_content(file) as data:
            for line in filter(bytes.strip, data):
                yield 1, partial(_of_line, line)


def _batches(file: str) -> Iterator[Part]:
    """An IPC file is a stream behind a mark; see arrow_records.py. Its bytes stay on the disk."""
    pyarrow = import_pyarrow()
    mapped = pyarrow.memory_map(file)
    mapped.seek(8 if mapped.read(len(_MAGIC)) == _MAGIC else 0)
    for batch in pyarrow.ipc.open_stream(mapped):
        yield batch.num_rows, partial(_of_batch, batch)


def _of_group(table, group: int, row: int) -> dict:
    return table.read_row_group(group).slice(row, 1).to_pylist()[0]


def _of_batch(batch, row: int) -> dict:
    return batch.slice(row, 1).to_pylist()[0]


def _of_line(line: bytes, row: int) -> dict:
    return json.loads(line)
