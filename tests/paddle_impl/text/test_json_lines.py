"""Records as JSON lines: the file is complete or absent, at the user's path."""

import json
import os
import threading

import pytest

from paddle_impl.text.json_lines import line_writer

RECORD = {"text": "é\n"}


def write(path, *records):
    with line_writer(None if path is None else str(path), "prog") as write_line:
        for record in records:
            write_line(record)


def test_a_file_is_there_once_it_is_whole(tmp_path):
    path = tmp_path / "lines.jsonl"
    with line_writer(str(path), "prog") as write_line:
        write_line(RECORD)
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == json.dumps(RECORD, ensure_ascii=False) + "\n"
    assert os.listdir(tmp_path) == ["lines.jsonl"]


def test_what_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text("old")
    with pytest.raises(ValueError, match="bad"), line_writer(str(path), "prog") as write_line:
        write_line(RECORD)
        raise ValueError("bad")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["lines.jsonl"]


def test_what_is_stopped_keeps_what_was_done(tmp_path, capsys):
    path = tmp_path / "lines.jsonl"
    with pytest.raises(KeyboardInterrupt), line_writer(str(path), "prog") as write_line:
        write_line(RECORD)
        raise KeyboardInterrupt
    assert json.loads(path.read_text(encoding="utf-8")) == RECORD
    assert capsys.readouterr().err == f"prog: stopped; {path} holds what was done\n"


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link", RECORD)
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "target").read_text(encoding="utf-8")) == RECORD


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")),
                              daemon=True)
    reader.start()
    write(pipe, RECORD, RECORD)
    reader.join(30)
    assert [json.loads(line) for text in read for line in text.splitlines()] == [RECORD, RECORD]
    assert pipe.is_fifo()


def test_standard_output_or_nowhere(tmp_path, capsys):
    write("-", RECORD)
    assert json.loads(capsys.readouterr().out) == RECORD
    write(None, RECORD)
    assert capsys.readouterr().out == ""
