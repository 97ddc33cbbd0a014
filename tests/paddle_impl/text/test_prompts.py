"""Prompts of files."""

import json

import pytest

from paddle_impl.text.prompts import read_prompts


def test_prompts_of_a_jsonl_file_may_have_lines(tmp_path):
    file = tmp_path / "p.jsonl"
    file.write_text(json.dumps({"prompt": "a\nb", "id": 1}) + "\n" + json.dumps({"prompt": ""}))
    assert read_prompts(str(file)) == ["a\nb", ""]


def test_a_line_ends_with_a_newline_and_with_nothing_else(tmp_path):
    """JSON may hold these characters as they are, and Python files hold form feeds."""
    text = "a\x0cb\x85c\u2028d"
    (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": text}, ensure_ascii=False) + "\n",
                                      encoding="utf-8")
    assert read_prompts(str(tmp_path / "p.jsonl")) == [text]
    (tmp_path / "p.txt").write_bytes(f"{text}\r\n\r\nx".encode())
    assert read_prompts(str(tmp_path / "p.txt")) == [text, "", "x"]


@pytest.mark.parametrize("line", ['{"text": "a"}', "[1]", "{", '{"prompt": 3}', "7"])
def test_a_line_that_is_no_prompt_is_named(tmp_path, line):
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "a"}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"p\.jsonl: line 2 is no object with a \"prompt\""):
        read_prompts(str(file))


@pytest.mark.parametrize("name", ["p.txt", "p.jsonl", "P.JSONL", "p.ndjson"])
def test_a_byte_order_mark_and_capitals_in_a_name_change_no_prompt(tmp_path, name):
    content = b"import os" if name == "p.txt" else b'{"prompt": "import os"}'
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / name).write_bytes(mark + content)
        assert read_prompts(str(tmp_path / name)) == ["import os"]
    (tmp_path / "p.txt").write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(ValueError, match="has no lines"):
        read_prompts(str(tmp_path / "p.txt"))
