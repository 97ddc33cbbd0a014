"""Rows of records come with their places, and a damaged file with the place of the damage."""

import gzip
import re

import pytest

from data_tools.instructions.reading import format_of, read_rows

ROWS = [{"a": "x\ny", "n": 1}, {"a": "\u00e9 \U0001f642", "n": None}, {"a": "", "n": 3}]


@pytest.mark.parametrize(("name", "word"), [
    ("x.json", "record"), ("x.jsonl", "line"), ("x.NDJSON", "line"), ("x.parquet", "row")])
def test_rows_come_with_their_places(written, name, word):
    path = written(name, ROWS)
    assert list(read_rows(path)) == [(f"{path}, {word} {i + 1}", row) for i, row in enumerate(ROWS)]


def test_many_rows_of_parquet_are_counted_on(written):
    rows = [{"messages": [{"role": "user", "content": str(i)}]} for i in range(600)]
    path = written("x.parquet", rows)
    assert list(read_rows(path)) == [(f"{path}, row {i + 1}", row) for i, row in enumerate(rows)]


def test_what_json_is_laid_out_like_does_not_matter(written):
    for name, content in [
        ("a.json", '\ufeff\n [ {"a":1}\n,{"a": [2, "]"]} ] \n'),
        ("b.json", '{"a": 1}\n\n{"a": [2, "]"]}'),
        ("c.jsonl", '\ufeff{"a": 1}\r\n \n{"a": [2, "]"]}\r\n'),
        ("d.jsonl", '[{"a": 1}, {"a": [2, "]"]}]'),
        ("e.json.gz", gzip.compress(b'[{"a": 1}, {"a": [2, "]"]}]')),
        ("f.jsonl.gz", gzip.compress(b'{"a": 1}\n{"a": [2, "]"]}\n')),
    ]:
        rows = [row for _, row in read_rows(written(name, content))]
        assert rows == [{"a": 1}, {"a": [2, "]"]}], name


def test_blank_lines_are_counted_and_a_line_ends_at_a_line_feed_only(written):
    path = written("x.jsonl", '{"a": "\u2028"}\n\n \n{"a": "\x85"}\n')
    assert [place for place, _ in read_rows(path)] == [f"{path}, line 1", f"{path}, line 4"]


@pytest.mark.parametrize(("name", "content", "told"), [
    ("x.json", "", "x.json holds no records"),
    ("x.json", " []\n", "x.json holds no records"),
    ("x.jsonl", "\n\n", "x.jsonl holds no records"),
    ("x.parquet", [], "x.parquet holds no records"),
    ("x.json", '[{"a": 1},\n{"a": }]',
     "x.json, record 2, which begins in line 2, is no JSON: Expecting value at line 2 column 7"),
    ("x.json", '[{"a": 1}, 5]', "x.json, record 2: it holds no JSON object"),
    ("x.json", '[{"a": 1}, {"a": NaN}]', "x.json, record 2: NaN is no JSON"),
    ("x.json", '[{"a": 1, "a": 2}]', "x.json, record 1: the key 'a' is there twice"),
    ("x.json", '[{"a": 1},]', "x.json, record 2, which begins in line 1, is no JSON"),
    ("x.json", '[{"a": 1} {"a": 2}]', "x.json, record 1 is followed by '{', expected a comma"),
    ("x.json", '[{"a": 1}', "x.json, record 1 is followed by 'the end of the file', expected"),
    ("x.json", '[{"a": 1}] {}', "x.json: something stands behind the list of records"),
    ("x.json", '[] []', "x.json: something stands behind the list of records"),
    ("x.json", b'[{"a": "x"},\n {"a": "\xff"}]', "x.json, line 2 is not UTF-8: invalid start byte"),
    ("x.json", "[" * 100_000, "x.json, record 1 is nested too deep"),
    ("x.json", '{"a":\n 1}', "x.json, line 1 is no JSON: Expecting value at column"),
    ("x.jsonl", '{"a": 1}\n[1]\n', "x.jsonl, line 2: it holds no JSON object"),
    ("x.jsonl", '{"a": 1}\n\n{"a" 1}\n', "x.jsonl, line 3 is no JSON: Expecting ':' delimiter at"),
    ("x.jsonl", b'{"a": "\xff"}', "x.jsonl, line 1 is not UTF-8: invalid start byte at byte 7"),
    ("x.jsonl", '{"a": ' + "[" * 99 + "]" * 99 + "}", "x.jsonl, line 1: it is nested deeper than"),
    ("x.jsonl.gz", gzip.compress(b'{"a": 1}\n', mtime=0)[:-4],
     "x.jsonl.gz cannot be read: the file"),
    ("x.txt", "{}", "x.txt: expected a name that ends in .json, .jsonl, .ndjson, .parquet"),
    ("x.parquet.gz", b"", "x.parquet.gz: expected a name that ends in"),
])
def test_what_cannot_be_read_is_named(written, name, content, told):
    path = written(name, content)
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        list(read_rows(path))
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


def test_damaged_parquet_is_named_by_field(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    bad = pyarrow.array([b"x", b"\xff"], pyarrow.binary()).view(pyarrow.string())
    path = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({"n": [1, 2], "a": bad}), path)
    with pytest.raises(ValueError, match=r"x\.parquet cannot be read: a in rows 1 to 2: .*UTF8"):
        list(read_rows(path))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"x\.parquet cannot be read: "):
        list(read_rows(path))


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ValueError, match=r"x\.json cannot be read: No such file"):
        list(read_rows(tmp_path / "x.json"))
    with pytest.raises(ValueError, match=r"x\.parquet cannot be read: "):
        list(read_rows(tmp_path / "x.parquet"))
    (tmp_path / "y.json").mkdir()
    with pytest.raises(ValueError, match=r"y\.json cannot be read: Is a directory"):
        list(read_rows(tmp_path / "y.json"))


def test_the_format_is_the_ending_inside_of_the_packing():
    assert [format_of(name) for name in ("a.JSON", "a.b.jsonl.zst", "a.parquet", "a.gz", "a")] == [
        ".json", ".jsonl", ".parquet", "", ""]
