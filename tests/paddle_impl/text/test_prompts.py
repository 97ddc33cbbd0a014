"""Prompts of files."""

import json

import pytest

from paddle_impl.config.prompts import PromptOptions
from paddle_impl.text.prompts import DEFAULT_PROMPTS, Prompt, prompts_of, read_prompts


def texts(path) -> list[str]:
    found = read_prompts(str(path))
    assert all(prompt.suffix is None for prompt in found)
    return [prompt.text for prompt in found]


def test_prompts_of_a_jsonl_file_may_have_lines(tmp_path):
    file = tmp_path / "p.jsonl"
    file.write_text(json.dumps({"prompt": "a\nb", "id": 1}) + "\n" + json.dumps({"prompt": ""}))
    assert texts(file) == ["a\nb", ""]


def test_a_line_ends_with_a_newline_and_with_nothing_else(tmp_path):
    """JSON may hold these characters as they are, and Python files hold form feeds."""
    text = "a\x0cb\x85c\u2028d"
    (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": text}, ensure_ascii=False) + "\n",
                                      encoding="utf-8")
    assert texts(tmp_path / "p.jsonl") == [text]
    (tmp_path / "p.txt").write_bytes(f"{text}\r\n\r\nx".encode())
    assert texts(tmp_path / "p.txt") == [text, "", "x"]


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
        assert texts(tmp_path / name) == ["import os"]
    (tmp_path / "p.txt").write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(ValueError, match="has no lines"):
        read_prompts(str(tmp_path / "p.txt"))


def test_a_line_may_have_a_suffix(tmp_path):
    file = tmp_path / "p.jsonl"
    lines = [{"prompt": "a", "suffix": "b\n"}, {"prompt": "c"}, {"prompt": "d", "suffix": ""},
             {"prompt": "e", "suffix": None}]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert read_prompts(str(file)) == [("a", "b\n"), ("c", None), ("d", ""), ("e", None)]
    file.write_text(json.dumps({"prompt": "a", "suffix": 1}))
    with pytest.raises(ValueError, match=r"p\.jsonl: line 1 has a \"suffix\" that is no text"):
        read_prompts(str(file))


def test_one_suffix_is_for_all_prompts_or_each_has_its_own():
    def named(*prompts, suffix=None):
        return prompts_of(PromptOptions(prompt=list(prompts) or None, suffix=suffix))

    assert named() == [Prompt(text) for text in DEFAULT_PROMPTS]
    assert named("a", "b") == [("a", None), ("b", None)]
    assert named("a", "b", suffix=["c"]) == [("a", "c"), ("b", "c")]
    assert named("a", "b", suffix=["c", "d"]) == [("a", "c"), ("b", "d")]


@pytest.mark.parametrize(("flags", "said"), [
    ({}, "needs a --prompt, the text before the gap"),
    ({"prompt_file": "b"}, 'a line of a .jsonl --prompt_file has its own "suffix"'),
    ({"prompt": ["a"] * 3}, "has 2 texts for 3 prompts"),
])
def test_suffixes_without_their_prompts(flags, said):
    with pytest.raises(ValueError, match=f"--suffix .*{said}"):
        PromptOptions(suffix=["x", "y"], **flags)
