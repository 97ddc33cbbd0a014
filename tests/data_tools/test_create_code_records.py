"""Source files become records with CodeParrot's columns, which other commands read."""

import json

import pytest

from data_tools import create_code_records
from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList

COLUMNS = ["repo_name", "path", "copies", "size", "content", "license"]


@pytest.fixture
def run(in_process):
    return lambda *words: create_code_records.main(list(map(str, words)))


def records(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_for_each_file(source_tree, tmp_path, run, capsys):
    out = tmp_path / "made" / "r.jsonl"
    assert run("--input_path", source_tree, "--output_file", out, "--license", "mit") == 0
    found = records(out)
    assert all(list(record) == COLUMNS and all(isinstance(value, str) for value in record.values())
               for record in found)
    by_path = {record["path"]: record for record in found}
    files = {f"{'lib' if i % 2 else 'app'}/module_{i:02}.py" for i in range(20)}
    assert by_path.keys() == files
    for path, record in by_path.items():
        data = (source_tree / path).read_bytes()
        assert record["content"].encode() == data and record["size"] == str(len(data))
        assert (record["repo_name"], record["copies"], record["license"]) == ("src", "1", "mit")
    said = capsys.readouterr().err
    assert "wrote 20 records" in said and "not UTF-8" in said


def test_records_are_read_as_the_files_were(source_tree, tmp_path, run):
    assert run("--input_path", source_tree, "--output_file", tmp_path / "r.jsonl") == 0
    made = FileList.find([tmp_path / "r.jsonl"], suffixes=())
    texts = {document.text for document in
             iter_documents(made, json_key="content", report=CorpusReport())}
    assert texts == {(source_tree / record["path"]).read_text(encoding="utf-8")
                     for record in records(tmp_path / "r.jsonl")}


def test_some_of_the_files_are_drawn_by_the_seed(source_tree, tmp_path, run):
    drawn = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / f"{number}.jsonl"
        assert run("--input_path", source_tree, "--output_file", out, "--max_files", 5,
                   "--seed", seed) == 0
        drawn.append({record["path"] for record in records(out)})
    assert drawn[0] == drawn[1] != drawn[2] and all(len(paths) == 5 for paths in drawn)


@pytest.mark.parametrize(("words", "said"), [
    (["--input_path", "nowhere"], "'nowhere' does not exist"),
    (["--suffixes", "zig"], "no documents in"),
])
def test_a_mistake_leaves_no_file(source_tree, tmp_path, run, capsys, words, said):
    out = tmp_path / "r.jsonl"
    assert run("--input_path", source_tree, "--output_file", out, *words) == 2
    err = capsys.readouterr().err
    assert said in err and err.strip().count("\n") <= 4 and not out.exists()


@pytest.mark.parametrize(("words", "said"), [
    (["--output_file", "r.json"], "ends in .jsonl"),
    (["--output_file", "r.jsonl", "--max_files", "0"], "--max_files must be at least 1"),
])
def test_a_wrong_flag_is_named(words, said, capsys):
    with pytest.raises(SystemExit):
        create_code_records.parse(words)
    assert said in capsys.readouterr().err
