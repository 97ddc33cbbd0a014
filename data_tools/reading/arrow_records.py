"""Files of Arrow's formats -> one text from each row: Parquet, and Arrow files or streams.

The text stands in one column. Rows are counted from 1, and a row that has no text is yielded with
its reason. A few hundred rows are read at a time (pip install pyarrow).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from data_tools.reading.json_records import BAD_RECORD
from data_tools.reading.raw_text import TOO_LONG, Damaged, RawText, Rules

ARROW_ENDINGS = (".parquet", ".arrow")
_ROWS = 256
_ROOM = 1 << 30  # bytes of the rows that are read together
_BUFFER = 1 << 20
_MAGIC = b"ARROW1"
_END = b"\xff\xff\xff\xff\0\0\0\0"


def read_rows(name: str, rules: Rules, data: bytes | None = None) -> Iterator[RawText]:
    """One text per row of the file `name`, or of `data`, its content.

    ValueError for a file without the column, Damaged for a broken one.
    """
    read = _read_parquet if name.lower().endswith(".parquet") else _read_arrow
    return read(name, rules, data)


def import_pyarrow():
    try:
        import pyarrow
    except ImportError as error:
        raise ValueError(
            "reading .parquet and .arrow needs the package pyarrow: pip install pyarrow "
            f"({error})"
        ) from None
    return pyarrow


def _read_parquet(name: str, rules: Rules, data: bytes | None) -> Iterator[RawText]:
    pyarrow = import_pyarrow()
    from pyarrow import parquet

    column = rules.json_key
    with errors_of(pyarrow, name):
        file = parquet.ParquetFile(name if data is None else pyarrow.BufferReader(data),
                                   buffer_size=_BUFFER, pre_buffer=False)
    with file:
        _check_column(pyarrow, name, file.schema_arrow, column)
        row = 0
        for group in range(file.num_row_groups):
            with errors_of(pyarrow, name):
                rows, size = _size_of(file.metadata.row_group(group), column)
            # To read one value takes memory for all of it. Headers may be a megabyte.
            if size > rows * rules.max_bytes + (1 << 20):
                yield RawText(f"{name}:{row + 1}-{row + rows}", b"", TOO_LONG)
            else:
                # A dictionary can repeat a value of the whole size in every row.
                batches = file.iter_batches(min(_ROWS, max(1, _ROOM // max(1, size))), [group],
                                            [column], use_threads=False)
                yield from _texts(pyarrow, name, batches, row, rules)
            row += rows


def _size_of(group, column: str) -> tuple[int, int]:
    """(rows, unpacked bytes of the column) of a row group."""
    chunks = map(group.column, range(group.num_columns))
    size = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema == column)
    return group.num_rows, size


def _read_arrow(name: str, rules: Rules, data: bytes | None) -> Iterator[RawText]:
    """An IPC file is a stream between two marks. It is read as a stream, so that a file which a
    killed writer left is read up to its end. Memory holds one batch.
    """
    pyarrow = import_pyarrow()
    with errors_of(pyarrow, name):
        file = pyarrow.OSFile(name) if data is None else pyarrow.BufferReader(data)
    with file:
        is_file = file.read(len(_MAGIC)) == _MAGIC
        file.seek(8 if is_file else 0)
        with errors_of(pyarrow, name):
            stream = pyarrow.ipc.open_stream(file)
        _check_column(pyarrow, name, stream.schema, rules.json_key)
        yield from _texts(pyarrow, name, stream, 0, rules)
        # A stream that stops between two batches reads like a whole one.
        end = _MAGIC if is_file else _END
        file.seek(file.size() - len(end))
        if file.read() != end:
            raise Damaged(f"{name} ends before its Arrow data does")


def _check_column(pyarrow, name: str, schema, column: str) -> None:
    """ValueError unless there is one such column, of text or bytes, or of nothing at all."""
    with errors_of(pyarrow, name):
        names = schema.names
    if names.count(column) != 1:
        problem = "has no column" if column not in names else "has more than one column"
        raise ValueError(
            f"{name} {problem} {column!r}, only {', '.join(names)}: --json_key names the text's"
        )
    kind = schema.field(column).type
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if kind not in _binary_of(pyarrow) and not pyarrow.types.is_null(kind):
        raise ValueError(f"{name}: column {column!r} holds {kind}, expected text (--json_key)")


def _binary_of(pyarrow) -> dict:
    """Arrow's types of text -> the types of bytes with the same layout, which need not be UTF-8."""
    pairs = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}
    made = [(getattr(pyarrow, text)(), getattr(pyarrow, data)()) for text, data in pairs.items()]
    return dict(made) | {data: data for _, data in made}


def _texts(
    pyarrow, name: str, batches: Iterable, row: int, rules: Rules
) -> Iterator[RawText]:
    """The rows as bytes, so that a row that is not UTF-8 does not fail the others.

    row: the number of the row before the first.
    """
    batches = iter(batches)
    while True:
        with errors_of(pyarrow, name):
            batch = next(batches, None)
            if batch is None:
                return
            values = _as_bytes(pyarrow, batch.column(batch.schema.get_field_index(rules.json_key)))
            # Arrow believes a file's offsets: on damaged ones the process would be killed.
            values.validate(full=True)
        for value in values:
            row += 1
            data = value.as_py()
            if data is None:
                yield RawText(f"{name}:{row}", b"", BAD_RECORD)
            else:
                yield rules.checked(f"{name}:{row}", data)


def _as_bytes(pyarrow, values):
    """The array, or the values of its dictionary, as bytes in place of text."""
    if pyarrow.types.is_dictionary(values.type):
        return pyarrow.DictionaryArray.from_arrays(
            values.indices, _as_bytes(pyarrow, values.dictionary))
    if pyarrow.types.is_null(values.type):
        return values
    return values.view(_binary_of(pyarrow)[values.type])


@contextlib.contextmanager
def errors_of(pyarrow, name: str) -> Iterator[None]:
    """Turns pyarrow's own errors, many of them ValueErrors, into Damaged."""
    try:
        yield
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise Damaged(f"{name}: {error}") from error
