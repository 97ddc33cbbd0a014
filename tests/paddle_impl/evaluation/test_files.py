"""Files that evaluations read and write; an invalid one is refused with one clear sentence."""

import json
import math

import pytest

from paddle_impl.evaluation.files import (
    check_distinct,
    check_place,
    read_passages,
    read_text,
    table,
    write_json,
)


def test_text_is_read_whole(tmp_path):
    (tmp_path / "a.txt").write_bytes(" héllo\r\n\u2028 \n".encode())
    assert read_text(str(tmp_path / "a.txt"), "--wikitext") == " héllo\n\u2028 \n"


@pytest.mark.parametrize(("content", "named"), [
    (None, "cannot be read: No such file"),
    (b"", "is empty"),
    (b" \n\n ", "is empty"),
    (b"ab\xff", "is not UTF-8 text: byte 2"),
])
def test_files_without_text_are_refused(tmp_path, content, named):
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=named) as error:
        read_text(str(path), "--wikitext")
    assert str(error.value).startswith(f"--wikitext {path} ")


def test_a_directory_is_no_text(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_text(str(tmp_path), "--lambada")


def test_passages_of_json_lines_and_of_plain_lines(tmp_path):
    path = tmp_path / "p"
    path.write_text('\n{"text": "one\\ntwo"}\n\n{"text": "three four", "more": 1}\n')
    assert read_passages(str(path), "--lambada") == [(2, "one\ntwo"), (4, "three four")]
    path.write_text("one two\n\n three\x85four \n")
    assert read_passages(str(path), "--lambada") == [(1, "one two"), (3, "three\x85four")]


@pytest.mark.parametrize("line", [
    "plain", '{"text": ""}', '{"text": 3}', '{"txt": "a b"}', '["a b"]', '{"text": "a b"',
    "[" * 99999,
])
def test_a_line_that_is_no_passage_is_named(tmp_path, line):
    path = tmp_path / "p.jsonl"
    path.write_text('{"text": "a b"}\n' + line + "\n")
    with pytest.raises(ValueError, match="line 2 holds no passage"):
        read_passages(str(path), "--lambada")


def test_a_place_to_write_to_is_known_beforehand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_place(None, "--output_file")
    check_place("a.json", "--output_file")
    check_place(str(tmp_path / "a.json"), "--output_file")
    with pytest.raises(ValueError, match="--output_file .*nowhere.* does not exist"):
        check_place("nowhere/a.json", "--output_file")
    with pytest.raises(ValueError, match="is a directory"):
        check_place(str(tmp_path), "--output_file")


def test_no_file_is_written_over_another_of_the_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("a.json")
    check_distinct({"--output_file": None, "--samples_file": None, "--lambada": "b"})
    for other in ("a.json", str(tmp_path / "a.json"), "./link"):
        with pytest.raises(ValueError, match="--output_file and --wikitext name the same file"):
            check_distinct({"--output_file": "a.json", "--lambada": "b", "--wikitext": other})


def test_a_mark_at_the_start_is_no_text(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"text": "a b"}\n', encoding="utf-8-sig")
    assert read_passages(str(path), "--lambada") == [(1, "a b")]
    assert read_text(str(path), "--wikitext") == '{"text": "a b"}\n'


def test_an_object_is_whole_and_is_json(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    write_json(str(path), {"loss": 0.5, "perplexity": math.inf, "file": "é"})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == {
        "loss": 0.5, "perplexity": None, "file": "é"}
    assert "é" in text and text.endswith("}\n")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_table_lines_up():
    rows = [("loss", 1.5, "nats"), ("words", 1234567, ""), ("an uncommonly long name", 0.0, "")]
    assert table("All of it", rows).splitlines() == [
        "All of it",
        "  loss                        1.5000 nats",
        "  words                    1,234,567",
        "  an uncommonly long name     0.0000",
    ]
    assert table("", [("bits per byte", 2.0, "")]) == "\n  bits per byte     2.0000"
