"""The documents of a corpus, byte for byte; what is left out is counted and named with a reason."""

import json
import random
import types

import pytest

from data_tools.cleaning.base import Filter
from data_tools.reading import corpus
from data_tools.reading.corpus import PYTHON_AND_CPP, CorpusReport, iter_documents
from data_tools.reading.file_list import FileList


def read(*paths, suffixes=PYTHON_AND_CPP, seed=None, **options):
    report = options.setdefault("report", CorpusReport())
    files = FileList.find(paths, suffixes=suffixes)
    files.order(seed)
    return list(iter_documents(files, **options)), report


def texts(*paths, **options):
    return [document.text for document in read(*paths, **options)[0]]


class Drops(Filter):
    """A filter that drops texts with a certain word, and records the texts that it was given."""

    def __init__(self, word):
        self.word, self.reason, self.asked = word, f"has {word}", []

    def drops(self, text):
        self.asked.append(text)
        return self.word in text


@pytest.mark.parametrize(
    "content",
    [
        b"    indented first line\n",
        b"no newline at the end",
        b"windows\r\nline ends\r\n and a lone \r",
        "a byte order mark \ufeff inside\n".encode(),
        "form feed \x0c, \u2028, \u0085 and \u00e9 \U0001f642\n\n\n".encode(),
    ],
)
def test_bytes_in_are_bytes_out(tmp_path, content):
    (tmp_path / "a.py").write_bytes(content)
    documents, report = read(tmp_path)
    assert [document.text.encode() for document in documents] == [content]
    assert report.utf8_bytes == len(content)


def test_skipped_files_are_counted_by_reason_with_examples(source_tree):
    documents, report = read(source_tree)
    assert len(documents) == report.documents == 20
    assert report.skipped == {"not UTF-8": 1, "binary": 1, "too short": 2}
    assert report.examples["binary"] == [str(source_tree / "binary.py")]
    assert any("latin.py" in line for line in report.skipped_lines())


def test_minimum_length_counts_characters_and_includes_the_bound(tmp_path):
    (tmp_path / "a.py").write_text("\u00e9" * 9)
    (tmp_path / "b.py").write_text("\u00e9" * 10)
    assert texts(tmp_path) == ["\u00e9" * 10]
    assert len(texts(tmp_path, min_doc_length=0)) == 2


def test_empty_files_and_white_space_are_no_documents_at_any_length(tmp_path):
    (tmp_path / "a.py").write_bytes(b"")
    (tmp_path / "b.py").write_text(" \n\t\u00a0\u2003" * 10)
    assert read(tmp_path, min_doc_length=0)[1].skipped == {"too short": 2}


def test_a_stream_keeps_its_own_order_when_files_are_shuffled(tmp_path):
    records = [f"record number {i:03}" for i in range(50)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in records))
    assert texts(path, seed=1) == records


@pytest.mark.parametrize(
    ("mode", "separator", "expected"),
    [
        ("file", None, ["a = 1\n  \n\n    b = 2\n# ---\nc = 3\n\n"]),
        ("blank_line", None, ["a = 1\n", "    b = 2\n# ---\nc = 3\n"]),
        ("separator", "# ---", ["a = 1\n  \n\n    b = 2\n", "c = 3\n\n"]),
    ],
)
def test_document_modes(tmp_path, mode, separator, expected):
    (tmp_path / "a.py").write_bytes(b"a = 1\n  \n\n    b = 2\n# ---\nc = 3\n\n")
    options = {"doc_mode": mode, "separator": separator, "min_doc_length": 1}
    documents, report = read(tmp_path, **options)
    assert [document.text for document in documents] == expected
    assert report.utf8_bytes == sum(len(text) for text in expected)
    (tmp_path / "a.py").write_bytes(b"a = 1\r\n  \r\n\r\n    b = 2\r\n# ---\r\nc = 3\r\n\r\n")
    assert texts(tmp_path, **options) == [text.replace("\n", "\r\n") for text in expected]


def test_parts_of_a_text_are_numbered(tmp_path):
    (tmp_path / "a.py").write_text("\u00e9 = 'first'\n\nx\n\nlast = 3\n")
    documents, report = read(tmp_path, doc_mode="blank_line", min_doc_length=5)
    assert [d.name for d in documents] == [f"{tmp_path}/a.py#1", f"{tmp_path}/a.py#3"]
    assert report.examples == {"too short": [f"{tmp_path}/a.py#2"]}
    assert report.utf8_bytes == len("\u00e9 = 'first'\nlast = 3\n".encode())


def test_cutting_loses_only_the_dividing_lines(tmp_path):
    draw = random.Random(0)
    for _ in range(200):
        lines = [draw.choice(["x\n", " y\n", "\n", " \t\n", "---\n", "z\r\n"]) for _ in range(20)]
        (tmp_path / "a.py").write_bytes("".join(lines).encode())
        kept = "".join(line for line in lines if line.strip())
        assert "".join(texts(tmp_path, doc_mode="blank_line", min_doc_length=0)) == kept


def test_the_first_filter_that_drops_a_document_counts_it(source_tree):
    first, second = Drops("+ 3\n"), Drops("+ 1")
    documents, report = read(source_tree, filters=[first, second])
    assert report.skipped == {
        "has + 3\n": 1, "has + 1": 11, "not UTF-8": 1, "binary": 1, "too short": 2
    }
    assert report.documents == len(documents) == 8
    # Only texts that are documents are looked at, and only by the filters before the one that drops
    assert len(first.asked) == 20 and len(second.asked) == 19


def test_strict_stops_at_what_cannot_be_read_and_at_nothing_else(source_tree):
    for name, problem in (("binary.py", "binary"), ("latin.py", "not UTF-8")):
        with pytest.raises(ValueError, match=f"{name}: {problem}"):
            read(source_tree, strict=True)
        (source_tree / name).unlink()
    documents, report = read(source_tree, strict=True, filters=[Drops("+ 3\n")])
    assert len(documents) == 19 and report.skipped == {"has + 3\n": 1, "too short": 2}
    (source_tree / "gone.py").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"gone\.py: unreadable"):
        read(source_tree, strict=True)


def test_a_file_that_changed_since_it_was_found_is_read_as_it_is_now(tmp_path):
    (tmp_path / "a.py").write_text("x" * 100)
    (tmp_path / "b.py").write_text("y" * 100)
    files = FileList.find([tmp_path], suffixes=[".py"])
    (tmp_path / "a.py").write_text("x" * 3_000_000)
    (tmp_path / "b.py").write_text("y" * 20)
    documents = list(iter_documents(files, report=CorpusReport()))
    assert [document.text for document in documents] == ["x" * 3_000_000, "y" * 20]


def test_events_are_handed_over_once(source_tree):
    report = CorpusReport()
    documents = read(source_tree, report=report, filters=[Drops("+ 19")])[0]
    events = report.drain()
    assert [(name.rpartition("/")[2], reason) for name, reason in events] == [
        ("binary.py", "binary"), ("blank.py", "too short"), ("latin.py", "not UTF-8"),
        ("tiny.py", "too short"), ("module_19.py", "has + 19"),
    ]
    assert len(documents) == 19 and report.drain() == []


def test_events_that_nobody_asks_for_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(corpus, "EVENTS_KEPT", 2)
    report = CorpusReport()
    for i in range(5):
        report.skip("binary" if i % 2 else "too short", str(i))
    assert len(report.events) == 2
    assert report.drain() == [
        ("0", "too short"), ("1", "binary"), ("(2 more)", "too short"), ("(1 more)", "binary")
    ]
    assert report.drain() == [] and report.skipped == {"too short": 3, "binary": 2}


def test_a_report_goes_on_from_its_json(source_tree):
    report = read(source_tree)[1]
    saved = json.loads(json.dumps(report.to_json()))
    again = CorpusReport.from_json(saved)
    assert again.skipped_lines() == report.skipped_lines() and again.drain() == []
    again.skip("binary", "one more")
    assert again.skipped["binary"] == 2 and report.to_json() == saved
    assert saved["skipped"]["binary"] == 1 and saved["examples"]["binary"][1:] == []
    assert CorpusReport.from_json({}) == CorpusReport()


def test_bad_arguments_die_before_reading(source_tree):
    files = FileList.find([source_tree], suffixes=[".py"])
    for options, message in [
        ({"doc_mode": "page"}, "doc_mode is one of"),
        ({"doc_mode": "separator"}, "go together"),
        ({"separator": "---"}, "go together"),
        ({"doc_mode": "separator", "separator": "-\n"}, "without its line end"),
        ({"start": (25, 0)}, r"start \(25, 0\) lies outside of a list of 24 files"),
        ({"start": (-1, 0)}, "lies outside"),
    ]:
        with pytest.raises(ValueError, match=message):
            iter_documents(files, report=CorpusReport(), **options)


def test_memory_holds_one_text(source_tree, monkeypatch):
    """The next file is not opened before its text is asked for."""
    opened = []
    real = corpus.read_texts
    monkeypatch.setattr(
        corpus, "read_texts", lambda path, *rest: (opened.append(path), real(path, *rest))[1]
    )
    documents = iter_documents(
        FileList.find([source_tree / "app"], suffixes=[".py"]), report=CorpusReport()
    )
    assert isinstance(documents, types.GeneratorType) and opened == []
    next(documents)
    assert len(opened) == 1
