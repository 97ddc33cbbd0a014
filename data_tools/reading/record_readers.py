"""Files of records -> one text from each: JSON lines, Parquet, Arrow.

The text stands under one key, or in one column. Records are counted from 1, and a record that
has no text is yielded with its reason. The Arrow formats are read a few hundred rows at a time
(pip install pyarrow).
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Iterator

from data_tools.reading.compressed import open_gzip, open_zstandard
from data_tools.reading.raw_text import RawText

BAD_LINE, BAD_RECORD = "bad JSON line", "bad record"
_ROWS = 256
_BUFFER = 1 << 20
_ARROW_MAGIC = b"ARROW1"
_ARROW_END = b"\xff\xff\xff\xff\0\0\0\0"


def read_json_lines(path: str, key: str) -> Iterator[RawText]:
    """One text per line that is not blank; `.zst` and `.gz` are unpacked."""
    with _open_lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            name = f"{path}:{number}"
            if not line.strip():
                continue
            try:
                record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield RawText(name, b"", "not UTF-8")
                continue
            except (ValueError, RecursionError):
                record = None
            text = record.get(key) if isinstance(record, dict) else None
            if isinstance(text, str):
                # JSON can escape half a surrogate pair; such bytes then fail as not UTF-8.
                yield RawText(name, text.encode("utf-8", "surrogatepass"))
            else:
                yield RawText(name, b"", BAD_LINE)


def _open_lines(path: str) -> io.BufferedIOBase:
    name = path.lower()
    if name.endswith(".zst"):
        return io.BufferedReader(open_zstandard(path), _BUFFER)
    if name.endswith(".gz"):
        return io.BufferedReader(open_gzip(path), _BUFFER)
    return open(path, "rb", buffering=_BUFFER)


def read_parquet(path: str, column: str) -> Iterator[RawText]:
    """One text per row; ValueError for a file without such a column, OSError for a broken one."""
    pyarrow = import_pyarrow()
    from pyarrow import parquet

    with _errors_of(pyarrow, path):
        file = parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    with file:
        _check_column(pyarrow, path, file.schema_arrow, column)
        batches = file.iter_batches(batch_size=_ROWS, columns=[column], use_threads=False)
        yield from _texts(pyarrow, path, batches, column)


def read_arrow(path: str, column: str) -> Iterator[RawText]:
    """One text per row of an Arrow IPC file or stream, as datasets saves them; errors as above.

    An IPC file is a stream between two marks. It is read as a stream, so that a file which a killed
    writer left is read up to its end. Memory holds one batch.
    """
    pyarrow = import_pyarrow()
    with _errors_of(pyarrow, path):
        file = pyarrow.OSFile(path)
    with file:
        is_file = file.read(len(_ARROW_MAGIC)) == _ARROW_MAGIC
        file.seek(8 if is_file else 0)
        with _errors_of(pyarrow, path):
            stream = pyarrow.ipc.open_stream(file)
        _check_column(pyarrow, path, stream.schema, column)
        yield from _texts(pyarrow, path, stream, column)
        # A stream that stops between two batches reads like a whole one.
        end = _ARROW_MAGIC if is_file else _ARROW_END
        file.seek(file.size() - len(end))
        if file.read() != end:
            raise EOFError(f"{path} ends before its Arrow data does")


def import_pyarrow():
    try:
        import pyarrow
    except ImportError as error:
        raise ValueError(
            "reading .parquet and .arrow needs the package pyarrow: pip install pyarrow "
            f"({error})"
        ) from None
    return pyarrow


def _check_column(pyarrow, path: str, schema, column: str) -> None:
    """ValueError unless there is one such column, of text or bytes."""
    with _errors_of(pyarrow, path):
        names = schema.names
    if names.count(column) != 1:
        problem = "has no column" if column not in names else "has more than one column"
        raise ValueError(
            f"{path} {problem} {column!r}, only {', '.join(names)}: --json_key names the text's"
        )
    kind = schema.field(column).type
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if kind not in _binary_of(pyarrow):
        raise ValueError(f"{path}: column {column!r} holds {kind}, expected text (--json_key)")


def _binary_of(pyarrow) -> dict:
    """Arrow's types of text -> the types of bytes with the same layout, which need not be UTF-8."""
    pairs = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}
    made = [(getattr(pyarrow, text)(), getattr(pyarrow, data)()) for text, data in pairs.items()]
    return dict(made) | {data: data for _, data in made}


def _texts(pyarrow, path: str, batches: Iterable, column: str) -> Iterator[RawText]:
    """The rows as bytes, so that a row that is not UTF-8 does not fail the others."""
    row = 0
    batches = iter(batches)
    binary_of = _binary_of(pyarrow)
    while True:
        with _errors_of(pyarrow, path):
            batch = next(batches, None)
            if batch is None:
                return
            texts = batch.column(batch.schema.get_field_index(column))
            if pyarrow.types.is_dictionary(texts.type):
                texts.validate(full=True)
                texts = texts.dictionary_decode()
            texts = texts.view(binary_of[texts.type])
            # Arrow believes a file's offsets: on damaged ones the process would be killed.
            texts.validate(full=True)
        for first in range(0, len(texts), _ROWS):
            for data in texts.slice(first, _ROWS).to_pylist():
                row += 1
                if data is None:
                    yield RawText(f"{path}:{row}", b"", BAD_RECORD)
                else:
                    yield RawText(f"{path}:{row}", data)


@contextlib.contextmanager
def _errors_of(pyarrow, path: str) -> Iterator[None]:
    """Turns pyarrow's own errors, many of them ValueErrors, into OSError."""
    try:
        yield
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise OSError(f"{path}: {error}") from error
