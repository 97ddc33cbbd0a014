"""JSON lines that are appended one by one, and what a kill leaves of them."""

import json

import pytest

from data_tools.line_journal import LineJournal

RECORDS = [{"a": "é\n"}, {"b": [1, None]}, {"half": "\ud83d"}]


def test_records_are_there_as_soon_as_they_are_appended(tmp_path):
    path = tmp_path / "new" / "x.jsonl"
    with LineJournal(path) as journal:
        for record in RECORDS:
            journal.append(record)
            assert json.loads(path.read_bytes().splitlines()[-1]) == record
        assert journal.records == RECORDS
    with LineJournal(path) as journal:
        assert journal.records == RECORDS
        journal.append({"c": 1})
    assert path.read_bytes().count(b"\n") == 4
    assert [one.name for one in path.parent.iterdir()] == ["x.jsonl"]


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_line_that_was_cut_is_written_again(tmp_path, cut):
    path = tmp_path / "x.jsonl"
    with LineJournal(path) as journal:
        for record in RECORDS[:2]:
            journal.append(record)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with LineJournal(path) as journal:
        assert journal.records == RECORDS[:1]
        journal.append(RECORDS[1])
    assert path.read_bytes() == whole


def test_a_file_is_one_processs(tmp_path):
    path = tmp_path / "x.jsonl"
    with LineJournal(path), pytest.raises(ValueError, match="is in use by process"):
        LineJournal(path).__enter__()
    with LineJournal(path):
        pass


@pytest.mark.parametrize("line", [b"[1]\n", b"{\n", b"\xff\n", b"\n"])
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / "x.jsonl").write_bytes(b"{}\n" + line + b"{}\n")
    with pytest.raises(ValueError, match="x.jsonl, line 2 cannot be read"):
        LineJournal(tmp_path / "x.jsonl").__enter__()
    with pytest.raises(ValueError, match="line 2"):  # and no lock is left
        LineJournal(tmp_path / "x.jsonl").__enter__()
