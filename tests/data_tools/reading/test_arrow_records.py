"""Parquet and Arrow: each record gives a text, or a reason why it has none."""

import io
import json
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList
from data_tools.reading.raw_text import Rules
from data_tools.reading.sources import read_texts

TEXTS = [f"def f_{i}():\n    return {i} * 7  # caf\u00e9\n" for i in range(1000)]


def read(path, **options):
    report = CorpusReport()
    files = FileList.find([path], suffixes=[".py"])
    return list(iter_documents(files, report=report, **options)), report


def texts(path, **options):
    return [document.text for document in read(path, **options)[0]]


def ipc(table, new=pa.ipc.new_stream, rows=300, **options):
    buffer = io.BytesIO()
    with new(buffer, table.schema, **options) as writer:
        for batch in table.to_batches(max_chunksize=rows):
            writer.write_batch(batch)
    return buffer.getvalue()


def parquet(table, **options):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def table_of(values, kind=None):
    return pa.table({"id": range(len(values)), "text": pa.array(values, kind)})


WRITERS = {
    "a.parquet": parquet,
    "groups.parquet": lambda table: parquet(table, row_group_size=64, compression="zstd"),
    "stream.arrow": ipc,
    "file.arrow": lambda table: ipc(table, pa.ipc.new_file),
    "packed.arrow": lambda table: ipc(
        table, pa.ipc.new_file, options=pa.ipc.IpcWriteOptions(compression="lz4")
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_row_is_a_text_named_by_its_number(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(WRITERS[name](table_of(TEXTS)))
    documents, report = read(path)
    assert [d.text for d in documents] == TEXTS
    assert [d.name for d in documents] == [f"{path}:{row}" for row in range(1, 1001)]
    assert [d.position for d in documents] == [(0, row) for row in range(1, 1001)]
    assert report.utf8_bytes == sum(len(text.encode()) for text in TEXTS)


KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ["a.parquet", "stream.arrow", "file.arrow"])
def test_a_row_without_text_is_a_bad_record_in_every_type(tmp_path, name, kind):
    values = [TEXTS[0], None, "a NUL \0 inside", TEXTS[1], TEXTS[0], "short"]
    path = tmp_path / name
    path.write_bytes(WRITERS[name](table_of(values, kind)))
    documents, report = read(path)
    assert [d.text for d in documents] == [TEXTS[0], TEXTS[1], TEXTS[0]]
    assert report.skipped == {"bad record": 1, "binary": 1, "too short": 1}
    assert report.examples["bad record"] == [f"{path}:2"]


@pytest.mark.parametrize("column", [
    pa.nulls(300), pa.nulls(300, pa.string()),
    pa.DictionaryArray.from_arrays(pa.nulls(300, pa.int8()), pa.nulls(0, pa.string())),
], ids=lambda column: str(column.type))
@pytest.mark.parametrize("name", ["a.parquet", "stream.arrow", "file.arrow"])
def test_a_column_of_nulls_is_rows_without_text(tmp_path, name, column):
    (tmp_path / name).write_bytes(WRITERS[name](pa.table({"text": column})))
    documents, report = read(tmp_path / name)
    assert documents == [] and report.skipped == {"bad record": 300}


@pytest.mark.parametrize("name", ["a.parquet", "groups.parquet", "stream.arrow"])
def test_rows_that_are_too_long_are_named(tmp_path, name):
    values = ["a short text", "b" * 2000, "another short one"]
    (tmp_path / name).write_bytes(WRITERS[name](table_of(values)))
    documents, report = read(tmp_path / name, max_document_bytes=1000)
    assert [d.text for d in documents] == [values[0], values[2]]
    assert report.examples == {"longer than --max_document_bytes": [f"{tmp_path / name}:2"]}
    (tmp_path / name).write_bytes(WRITERS[name](table_of(["c" * 4_000_000])))
    documents, report = read(tmp_path / name, max_document_bytes=1000)
    assert documents == [] and report.skipped == {"longer than --max_document_bytes": 1}


@pytest.mark.parametrize("name", ["a.parquet", "stream.arrow"])
def test_a_row_that_is_not_utf8_spoils_no_other(tmp_path, name):
    values = [b"text of the first", b"latin \xe9 is not UTF-8", b"text of the third"]
    path = tmp_path / name
    path.write_bytes(WRITERS[name](table_of(values, pa.binary())))
    documents, report = read(path)
    assert [d.name for d in documents] == [f"{path}:1", f"{path}:3"]
    assert report.skipped == {"not UTF-8": 1}


def test_codeparrots_columns(tmp_path):
    columns = "repo_name path copies size content license".split()
    table = pa.table({name: [f"{name} of row {i}" for i in range(3)] for name in columns})
    for name in ("a.parquet", "stream.arrow"):
        (tmp_path / name).write_bytes(WRITERS[name](table))
        expected = [f"content of row {i}" for i in range(3)]
        assert texts(tmp_path / name, json_key="content") == expected
        with pytest.raises(ValueError, match="has no column 'text', only repo_name, path, copies, "
                                             "size, content, license"):
            read(tmp_path / name)
        with pytest.raises(ValueError, match="column 'id' holds int64, expected text"):
            (tmp_path / name).write_bytes(WRITERS[name](table_of(TEXTS)))
            read(tmp_path / name, json_key="id")


@pytest.mark.parametrize("name", [n for n in WRITERS if n.endswith(".arrow")])
def test_a_cut_arrow_file_gives_the_batches_before_the_cut(tmp_path, name):
    data, draw, path = WRITERS[name](table_of(TEXTS)), random.Random(0), tmp_path / name
    sizes = [0, 7, *draw.sample(range(len(data)), 30), len(data) - 1]
    for size in sizes:
        path.write_bytes(data[:size])
        documents, report = read(path)
        assert report.skipped == {"unreadable": 1} and len(documents) in (0, 300, 600, 900, 1000)
        assert [d.text for d in documents] == TEXTS[: len(documents)]
    path.write_bytes(data[: len(data) * 3 // 4])
    assert len(read(path)[0]) == 600


def test_a_stream_cut_between_two_batches_is_noticed(tmp_path):
    """Arrow itself takes it for a whole one."""
    data, end = ipc(table_of(TEXTS[:600])), b"\xff\xff\xff\xff\0\0\0\0"
    assert data.endswith(end)
    (tmp_path / "a.arrow").write_bytes(data.removesuffix(end))
    documents, report = read(tmp_path / "a.arrow")
    assert len(documents) == 600 and report.skipped == {"unreadable": 1}


def test_a_parquet_gives_the_rows_before_the_damage(tmp_path):
    data = WRITERS["groups.parquet"](table_of(TEXTS))
    place = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(5).column(1).data_page_offset
    path = tmp_path / "a.parquet"
    path.write_bytes(data[:place] + b"\xff" * 200 + data[place + 200 :])
    documents, report = read(path)
    assert [d.text for d in documents] == TEXTS[: len(documents)] and len(documents) >= 256
    assert report.skipped == {"unreadable": 1}
    path.write_bytes(data[:-1])
    assert read(path)[1].skipped == {"unreadable": 1}


DAMAGE = """
import random, sys
from data_tools.reading.raw_text import Rules
from data_tools.reading.sources import read_texts
path = sys.argv[1]
data, draw = open(path, "rb").read(), random.Random(2)
for _ in range(150):
    damaged = bytearray(data)
    for _ in range(draw.choice([1, 1, 5])):
        damaged[draw.randrange(len(data))] = draw.randrange(256)
    open(path, "wb").write(damaged)
    try:
        list(read_texts(path, len(data), bool, Rules()))
    except ValueError as error:  # the damage hit the column's name or type
        assert "column" in str(error), error
print("survived")
"""


@pytest.mark.parametrize("name", WRITERS)
def test_damage_anywhere_ends_a_file_and_not_the_run(tmp_path, name):
    """In a process of its own: Arrow's own reading of damaged offsets kills one."""
    (tmp_path / name).write_bytes(WRITERS[name](table_of(TEXTS[:20])))
    result = subprocess.run([sys.executable, "-c", DAMAGE, str(tmp_path / name)],
                            cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert result.stdout == "survived\n", result.stderr


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "stream.arrow"])
def test_memory_holds_a_few_records(tmp_path, name):
    path, draw = tmp_path / name, random.Random(0)

    def peak(rows):
        texts = [draw.randbytes(1_000).hex() for _ in range(rows)]
        if name == "a.jsonl":
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        else:
            path.write_bytes(WRITERS[name](table_of(texts)))
        del texts
        pool = pa.proxy_memory_pool(pa.default_memory_pool())
        before = pa.default_memory_pool()
        pa.set_memory_pool(pool)
        tracemalloc.start()
        try:
            for _ in read_texts(str(path), 0, bool, Rules()):
                pass
            return pool.max_memory() + tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            pa.set_memory_pool(before)

    assert peak(8000) < 8e6  # of 16 MB


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.jsonl.zst", "zstandard"), ("a.tar.zst", "zstandard"), ("a.parquet", "pyarrow"),
     ("A.ARROW", "pyarrow")],
)
def test_a_missing_package_is_named_before_reading(tmp_path, monkeypatch, name, package):
    (tmp_path / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=f"pip install {package}"):
        FileList.find([tmp_path], suffixes=[".zst", ".parquet", ".arrow"])
