"""Texts with labels from tables and JSON lines, and what is told of a record that is none."""

import json

import pytest

from data_tools.classification.reading import Columns, read_labelled

ROWS = [("spam", "Win now"), ("ham", 'He said "no", then left'), ("3", "x\u2028y")]


@pytest.fixture
def read(tmp_path):
    """[(label, text)] of a file with this content."""

    def run(name, content, **columns):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [(one.label, one.text) for one in read_labelled(str(path), Columns(**columns))]

    return run


@pytest.mark.parametrize(("name", "content", "columns"), [
    ("a.csv", 'Label,Text\nspam,Win now\nham,"He said ""no"", then left"\n3,x\u2028y\n', {}),
    ("a.csv", '\ufeffspam,Win now\r\nham,"He said ""no"", then left"\r\n3,x\u2028y', {}),
    ("a.tsv", 'spam\tWin now\nham\tHe said "no", then left\n\n3\tx\u2028y\n', {}),
    ("plain", 'text\tid\tclass\nWin now\t1\tspam\nHe said "no", then left\t2\tham\nx\u2028y\t3\t3',
     {}),
    ("a.tsv", 'Win now\t1\tspam\nHe said "no", then left\t2\tham\nx\u2028y\t3\t3',
     {"text": "1", "label": "3"}),
    ("a.tsv", 'Text\tid\tlabel\nWin now\t1\tspam\nHe said "no", then left\t2\tham\nx\u2028y\t3\t3',
     {"text": "1", "label": "3"}),
    ("a.txt", 'v1\tv2\nspam\tWin now\nham\tHe said "no", then left\n3\tx\u2028y',
     {"label": "v1", "text": "v2"}),
    ("a.tsv", 'kind\tText\nspam\tWin now\nham\tHe said "no", then left\n3\tx\u2028y',
     {"header": True}),
    ("a.jsonl", "".join(json.dumps({"text": text, "label": int(label) if label == "3" else label})
                        + "\n\n" for label, text in ROWS), {}),
    ("a.ndjson", "".join(json.dumps({"t": text, "l": label, "text": 1}) + "\n"
                         for label, text in ROWS), {"text": "t", "label": "l"}),
])
def test_all_kinds_of_files_give_the_same(read, name, content, columns):
    assert read(name, content, **columns) == ROWS


def test_a_header_can_be_denied(read):
    assert read("a.csv", "label,text\n", header=False) == [("label", "text")]


def test_quotation_marks_of_tables_with_tabs(read):
    """pandas' default takes what lies between two of them for one text."""
    content = 'ham\t"So\nspam\tthere"\nham\tx\n'
    assert read("a.tsv", content) == [("ham", '"So'), ("spam", 'there"'), ("ham", "x")]
    assert read("a.tsv", content, legacy_quoting=True) == [
        ("ham", "So\nspam\tthere"), ("ham", "x")]


def test_a_text_may_be_very_long(read):
    assert read("a.csv", f'a,"{"x " * 100_000}"\n')[0][1] == "x " * 100_000


@pytest.mark.parametrize(("name", "content", "columns", "told"), [
    ("a.csv", "a,b\nspam,\n", {}, "line 2: the text is empty"),
    ("a.csv", "label,text\n ,x\n", {}, "line 2: the label is empty"),
    ("a.tsv", "ham\tx\nham\n", {}, "line 2: expected 2 columns, got 1"),
    ("a.tsv", "ham\tx\n\nham\tx\ty\n", {}, "line 3: expected 2 columns, got 3"),
    ("a.csv", 'a,"x\ny"\nb,"z\n', {}, "line 3: no row of a table begins here: unexpected end"),
    ("a.csv", 'a,x\nb,"x"y\n', {}, "line 2: no row"),
    ("a.csv", "a,b,c\n", {}, "line 1: which of the 3 columns is the text? There are 'a', 'b', 'c'"),
    ("a.csv", "label,b,c\nx,y,z\n", {"header": True}, "is the text"),
    ("a.csv", "a,b\nx,y\n", {"text": "body"}, "name it with --text_column"),
    ("a.csv", "a,b\nx,y\n", {"text": "3", "label": "1"}, "line 1: which of the 2 columns"),
    ("a.csv", "a,b\nx,y\n", {"text": "0"}, "line 1: which of the 2 columns"),
    ("a.csv", "a,b\nx,y\n", {"text": "1", "label": "1"}, "text and label are the same column"),
    ("a.csv", "a,b\n", {"header": False, "text": "b"}, "numbers from 1 in a file without a header"),
    ("a.csv", "label,text,text\na,b,c\n", {"header": True}, "which of the 3 columns is the text"),
    ("a.csv", "a,b\n", {"legacy_quoting": True}, "a .csv is quoted anyway"),
    ("a.jsonl", '{"text": "x", "label": "a"}\n{"text": "x"}\n', {}, "line 2: there is no label"),
    ("a.jsonl", '{"text": 3, "label": "a"}\n', {}, "line 1: the text is 3, expected a text"),
    ("a.jsonl", '{"text": "x", "label": 0.5}\n', {}, "line 1: the label is 0.5, expected a text "),
    ("a.jsonl", '{"text": "x", "label": true}\n', {}, "the label is true"),
    ("a.jsonl", '{"text": "x", "sentence": "y", "label": "a"}\n', {}, "there is no text among"),
    ("a.jsonl", '{"text": \n', {}, "line 1: expected a JSON object"),
    ("a.jsonl", '{"text": "x", "label": "a"}\n', {"header": True}, "for tables"),
    ("a.tsv", b"ham\tx\nham\t\xff\n", {}, "line 2 is not UTF-8"),
    ("a.csv", "", {}, "a.csv holds no texts"),
    ("a.csv", "label,text\n", {}, "a.csv holds no texts"),
    ("a.parquet", "", {}, "expected a name that ends in .csv, .tsv, .txt or .jsonl"),
])
def test_what_is_no_text_with_a_label_is_named(read, name, content, columns, told):
    with pytest.raises(ValueError) as error:
        read(name, content, **columns)
    assert told in str(error.value) and name in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(ValueError, match="none.csv cannot be read: No such file"):
        read_labelled("none.csv")
