"""Hugging Face data sets with a column of ids: .parquet, or a folder made by save_to_disk.

Through pyarrow alone. A folder of save_to_disk holds state.json, which names the .arrow files in
order (streams of record batches); one made by DatasetDict holds one such folder for each split.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_tools.files import whole_file
from data_tools.formats.documents import Block, Row
from data_tools.token_files.token_file import TokenFile

ROWS = 1024  # of a parquet file, read together


class HuggingFace:
    """The documents in `column` of a .parquet or .arrow file, or of a folder with either."""

    def __init__(self, path: str, column: str):
        _pyarrow()
        self.files, self.column, self.notes = _files(Path(path)), column, []

    def blocks(self) -> Iterator[Block]:
        for path in self.files:
            row = 0
            for batch in self._batches(path):
                yield self._block(batch.column(0), path, row)
                row += batch.num_rows

    def _batches(self, path: Path):
        arrow = _pyarrow()
        try:
            if path.suffix.lower() == ".parquet":
                from pyarrow import parquet

                with parquet.ParquetFile(path, pre_buffer=False) as file:
                    self._check(path, file.schema_arrow)
                    yield from file.iter_batches(ROWS, columns=[self.column])
            else:
                with arrow.memory_map(str(path)) as mapped:
                    try:
                        file = arrow.ipc.open_stream(mapped)
                    except arrow.ArrowInvalid:
                        raise ValueError(f"{path} is not a file that save_to_disk wrote") from None
                    self._check(path, file.schema)
                    for batch in file:
                        batch.validate(full=True)  # offsets are used as they come
                        yield batch.select([self.column])
        except (arrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None

    def _check(self, path: Path, schema) -> None:
        types = _pyarrow().types
        if self.column not in schema.names:
            raise ValueError(
                f"{path} has no column {self.column!r}, only {', '.join(schema.names)[:200]}: "
                "--column names another"
            )
        kind = schema.field(self.column).type
        lists = (types.is_list(kind) or types.is_large_list(kind)
                 or types.is_fixed_size_list(kind))  # fmt: skip
        if not lists or not types.is_integer(kind.value_type):
            raise ValueError(f"{path}: {self.column} holds {kind}, expected lists of integers")

    def _block(self, lists, path: Path, row: int) -> Block:
        if lists.null_count:
            first = int(np.flatnonzero(np.asarray(lists.is_null()))[0])
            raise ValueError(f"{path}: row {row + first} of {self.column} is null")
        ids = lists.flatten()
        if ids.null_count:
            raise ValueError(f"{path}: a list in rows {row} to {row + len(lists) - 1} of "
                             f"{self.column} holds null")  # fmt: skip
        from pyarrow import compute

        offsets = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum(np.asarray(compute.list_value_length(lists)), out=offsets[1:])
        return np.asarray(ids), offsets


def _files(path: Path) -> list[Path]:
    if path.is_file() and path.suffix.lower() in (".parquet", ".arrow"):
        return [path]
    state = path / "state.json"
    if state.is_file():
        return _saved_files(path, state)
    if (path / "dataset_dict.json").is_file():
        splits = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        raise ValueError(f"{path} holds the splits {', '.join(splits)}: name one, {path}/SPLIT")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".parquet")
    if not files:
        raise ValueError(
            f"{path} is no data set: expected a .parquet or .arrow file, a folder of .parquet, or "
            "one that save_to_disk wrote"
        )
    return files


def _saved_files(path: Path, state: Path) -> list[Path]:
    try:
        content = json.loads(state.read_text(encoding="utf-8-sig"))
        names = [entry["filename"] for entry in content["_data_files"]]
        indices = [key for key in content if "indices" in key and content[key]]
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError("a data file lies elsewhere")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{state} does not name the data files: {error!r}") from None
    if indices:
        raise ValueError(
            f"{path} reads its rows through an indices mapping ({indices[0]}), which is not "
            "supported: save it again after flatten_indices()"
        )
    for name in names:
        if not (path / name).is_file():
            raise ValueError(f"{path / name} is missing, {state} names it: copy the whole folder")
    return [path / name for name in names]


def write_parquet(
    data: TokenFile, path: str, progress: Callable[[int], None] = lambda _: None
) -> None:
    """Write documents as lists of int32 in the column input_ids."""
    arrow = _pyarrow()
    from pyarrow import parquet

    schema = arrow.schema([("input_ids", arrow.list_(arrow.int32()))])
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        # On ids of source code zstd alone is smaller than pyarrow's dictionary with snappy, and
        # takes a third of the time.
        with parquet.ParquetWriter(
            file, schema, compression="zstd", use_dictionary=False
        ) as writer:
            for ids, offsets in Row(data.ids, data.document_offsets).blocks():
                if len(ids) >= 2**31:
                    raise ValueError(f"{data.prefix} has a document of more than 2^31 - 1 tokens")
                lists = arrow.ListArray.from_arrays(
                    arrow.array(offsets.astype(np.int32)), arrow.array(ids.astype(np.int32))
                )
                writer.write_table(arrow.table([lists], schema=schema))
                progress(len(ids))


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.types
    except ImportError as error:
        raise ValueError(
            f"Hugging Face's files need pyarrow: pip install pyarrow ({error})"
        ) from None
    return pyarrow
