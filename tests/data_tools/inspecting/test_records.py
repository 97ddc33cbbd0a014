"""inspect --record: a record of any form of file, each as likely as another."""

import gzip
import io
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_tools.inspect import main
from data_tools.inspecting.records import drawn_record

COLUMNS = ("repo_name", "path", "copies", "size", "content", "license")
ROWS = [{name: f"{name} {i}" for name in COLUMNS} for i in range(10)]


def arrow(new, rows=4):
    buffer, table = io.BytesIO(), pa.Table.from_pylist(ROWS)
    with new(buffer, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=rows):
            writer.write_batch(batch)
    return buffer.getvalue()


def parquet():
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), buffer, row_group_size=3)
    return buffer.getvalue()


JSONL = "\n\n".join(map(json.dumps, ROWS)).encode()
FILES = {"a.parquet": parquet(), "stream.arrow": arrow(pa.ipc.new_stream),
         "file.arrow": arrow(pa.ipc.new_file), "a.jsonl": JSONL, "a.jsonl.gz": gzip.compress(JSONL)}


@pytest.mark.parametrize("name", FILES)
def test_each_record_is_drawn_and_named_by_its_number(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    found = [drawn_record(str(tmp_path / name), seed) for seed in range(200)]
    assert found == [drawn_record(str(tmp_path / name), seed) for seed in range(200)]
    for place, record in found:
        assert record == ROWS[int(place.rpartition(":")[2]) - 1]
    counts = Counter(record["path"] for _, record in found)
    assert len(counts) == 10 and max(counts.values()) < 45  # of 200, 20 each


def test_a_folder_of_several_files(tmp_path):
    for name in ("a.parquet", "b.arrow"):
        (tmp_path / name).write_bytes(FILES["a.parquet" if "p" in name else "file.arrow"])
    (tmp_path / "c.py").write_text("not a record")
    files = Counter(drawn_record(str(tmp_path), seed)[0].rpartition("/")[2].partition(":")[0]
                    for seed in range(100))
    assert files.keys() == {"a.parquet", "b.arrow"} and min(files.values()) > 25


def test_it_is_printed_with_the_text_last(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"content": "x = 1\ny = 2\n", "size": "12"}))
    assert main([str(path), "--record"]) == 0
    assert capsys.readouterr().out == f"{path}:1\nSIZE: 12\nCONTENT:\nx = 1\ny = 2\n\n"
    assert main([str(path), "--record", "--json", "--seed", "5"]) == 0
    assert json.loads(capsys.readouterr().out) == {"content": "x = 1\ny = 2\n", "size": "12"}


@pytest.mark.parametrize(("content", "said"), [
    (b"", "holds no records"), (b"{broken", "a.jsonl:1 cannot be read"),
    (b"[1, 2]", "a.jsonl:1 is no object of fields"),
])
def test_what_is_no_record_is_told_in_one_line(content, said, tmp_path, capsys):
    (tmp_path / "a.jsonl").write_bytes(content)
    assert main([str(tmp_path / "a.jsonl"), "--record"]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
