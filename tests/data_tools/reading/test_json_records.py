"""Records are records whatever the file is called and however they stand in it."""

import io
import json
import tracemalloc
import zipfile
import zlib

import pytest

from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList

TEXTS = [f"def f_{i}():\n    return \"{i}\" + '}}]{{[\\\\' * {i}  # \u00e9 \U0001f642\n"
         for i in range(40)]
RECORDS = [{"id": i, "text": text, "more": {"text": [text]}} for i, text in enumerate(TEXTS)]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)


def read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    report = CorpusReport()
    files = FileList.find([path], suffixes=[".jsonl", ".json", ".ndjson", ".txt"])
    documents = list(iter_documents(files, report=report, **options))
    return [document.text for document in documents], report, [d.name for d in documents]


FORMS = {
    "an object a line": LINES,
    "characters as they are": "".join(json.dumps(record, ensure_ascii=False) + "\n"
                                      for record in RECORDS),
    "without the last newline": LINES.rstrip(),
    "behind a byte order mark": "\ufeff" + LINES,
    "blank lines": "\n \n" + LINES.replace("\n", "\r\n\n"),
    "an array": json.dumps(RECORDS),
    "an indented array": json.dumps(RECORDS, indent=2, ensure_ascii=False) + "\n",
    "an array behind a byte order mark": "\ufeff\n" + json.dumps(RECORDS),
    "an array, an object a line": "[\n" + LINES.rstrip().replace("\n", ",\n") + "\n]",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson", "A.JSON", "A.NDJSON"])
def test_every_form_under_every_name(tmp_path, name, form):
    texts, report, names = read(tmp_path / name, FORMS[form])
    assert texts == TEXTS and report.skipped == {}
    if "blank" not in form:
        assert names == [f"{tmp_path / name}:{i}" for i in range(1, 41)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("member", ["a.json", "a.jsonl", "folder/a.ndjson"])
def test_every_form_as_a_member_of_an_archive(tmp_path, member, form):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, FORMS[form])
        archive.writestr("b.txt", "a text beside it")
    texts, report, names = read(tmp_path / "a.zip", buffer.getvalue())
    assert texts == [*TEXTS, "a text beside it"] and report.skipped == {}
    assert names[0].startswith(f"{tmp_path}/a.zip:{member}:")


@pytest.mark.parametrize("text", [
    '{\n  "name": "a program\'s settings",\n  "list": [\n    {"a": 1},\n    {"b": 2}\n  ]\n}\n',
    '{"rows": [\n{"a": 1},\n{"b": 2}\n]}', '["only", "texts", "in a list"]', "no JSON at all, {",
])
def test_a_json_file_that_holds_no_records_is_one_text(tmp_path, text):
    assert read(tmp_path / "a.json", text)[0] == [text]


def test_a_broken_first_line_does_not_hide_the_records(tmp_path):
    texts, report, _ = read(tmp_path / "a.json", "{broken\n" + LINES)
    assert texts == TEXTS and report.skipped == {"bad JSON line": 1}


def test_json_lines_skip_what_is_no_record(tmp_path):
    good = "  kept as it is, \u00e9 \U0001f642 \n"
    lines = [
        json.dumps({"code": good, "text": "another key"}).encode(),
        b"",
        b"{broken",
        b'["a list"]',
        b'{"code": 5}',
        b'{"other": "no such key"}',
        b'{"code": "half a surrogate pair \\ud800"}',
        b'{"code": "latin \xe9 is not UTF-8"}',
        b'{"code": "a NUL \\u0000 inside"}',
        b"[" * 100_000,
    ]
    texts, report, names = read(tmp_path / "a.jsonl", b"\n".join(lines), json_key="code")
    assert (texts, names) == ([good], [f"{tmp_path / 'a.jsonl'}:1"])
    assert report.skipped == {"bad JSON line": 4, "no column 'code' (--json_key)": 1,
                              "not UTF-8": 2, "binary": 1}


def test_elements_without_text_are_named_and_hide_no_other(tmp_path):
    array = [{"text": "first of all"}, {"other": 1}, "a text", 5, [["text"]], {"text": None},
             {"text": "half a pair \ud800"}, {"text": "last of all \u00e9"}]
    texts, report, _ = read(tmp_path / "a.json", json.dumps(array))
    assert texts == ["first of all", "last of all \u00e9"]
    assert report.skipped == {"no column 'text' (--json_key)": 1, "bad record": 4, "not UTF-8": 1}
    deep = '[{"text": "first of all"}, ' + "[" * 10**5 + "]" * 10**5 + ', {"text": "the last one"}]'
    texts, report, _ = read(tmp_path / "a.json", deep)
    assert texts == ["first of all", "the last one"] and report.skipped == {"bad record": 1}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_column_that_no_record_has_is_named(tmp_path, name, form):
    texts, report, _ = read(tmp_path / name, FORMS[form], json_key="content")
    assert texts == [] and report.skipped == {"no column 'content' (--json_key)": 40}
    with pytest.raises(ValueError, match=r"a\.json.*:\d+: no column 'content' \(--json_key\)"):
        read(tmp_path / name, FORMS[form], json_key="content", strict=True)


@pytest.mark.parametrize("form", ["an array", "an indented array", "an array, an object a line"])
def test_a_cut_array_gives_what_stands_before_the_cut(tmp_path, form):
    data = FORMS[form].encode()
    for size in range(100, len(data), 397):
        texts, report, _ = read(tmp_path / "a.json", data[:size])
        assert texts == TEXTS[: len(texts)] and report.skipped == {"unreadable": 1}
    assert read(tmp_path / "a.json", data + b"and more")[1].skipped == {"unreadable": 1}


@pytest.mark.parametrize("form", ["an object a line", "an array", "an indented array"])
def test_a_record_that_is_too_long_is_named_and_hides_no_other(tmp_path, form):
    """Lengths around every bound, with brackets and quotes inside, at every place."""
    for length in (999, 1000, 1001, 2000, 70_000, 3_000_000):
        long = ('\\"}]{[' * length)[:length]
        records = [RECORDS[0], {"text": long}, RECORDS[1], {"text": long}]
        data = {"an array": json.dumps(records), "an indented array": json.dumps(records, indent=1),
                "an object a line": "\n".join(map(json.dumps, records))}[form]
        texts, report, names = read(tmp_path / "a.json", data, max_document_bytes=1000)
        kept = [long] if length <= 1000 else []
        assert texts == [TEXTS[0], *kept, TEXTS[1], *kept]
        assert report.skipped == ({} if kept else {"longer than --max_document_bytes": 2})
        if not kept:
            assert report.examples["longer than --max_document_bytes"] == [
                f"{tmp_path}/a.json:2", f"{tmp_path}/a.json:4"]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json.gz"])
def test_memory_does_not_grow_with_a_line(tmp_path, name):
    pack = zlib.compressobj(wbits=31)
    start, end = ("[", ",") if name == "a.json.gz" else ("", "\n")
    data = [pack.compress(f'{start}{{"text": "the first record"}}{end}{{"text": "'.encode())]
    data += [pack.compress(b"a" * (1 << 20)) for _ in range(100)]
    data += [pack.compress(f'"}}{end}{{"text": "the last record"}}'.encode())]
    data += [pack.compress(b"]" if start else b""), pack.flush()]
    tracemalloc.start()
    try:
        texts, report, _ = read(tmp_path / name, b"".join(data), max_document_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert texts == ["the first record", "the last record"]
    assert report.skipped == {"longer than --max_document_bytes": 1}
