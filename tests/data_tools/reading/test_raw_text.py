"""Texts of files: without a byte order mark, bounded, in pieces where they hold several."""

import random
import warnings

import pytest

from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList

TOO_LONG = "longer than --max_document_bytes"


def read(path, content, **options):
    path.write_bytes(content)
    files = FileList.find([path], suffixes=[".py"])
    report = CorpusReport()
    return list(iter_documents(files, report=report, **options)), report


def test_a_byte_order_mark_before_a_text_is_passed_over(tmp_path):
    mark = "\ufeff".encode()
    documents, report = read(tmp_path / "a.py", mark + b"import os, sys\n")
    assert [d.text for d in documents] == ["import os, sys\n"] and report.utf8_bytes == 15
    assert read(tmp_path / "a.py", mark * 2 + b"import os\n")[0][0].text == "\ufeffimport os\n"
    documents, _ = read(tmp_path / "a.py", mark + b"# ---\nimport os\n", min_doc_length=1,
                        doc_mode="separator", separator="# ---")
    assert [d.text for d in documents] == ["import os\n"]
    assert read(tmp_path / "a.py", "import os, sys\n".encode("utf-16"))[1].skipped == {"binary": 1}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_bound_counts_bytes_and_is_included(tmp_path, mark):
    text = "\u00e9" * 50
    assert len(read(tmp_path / "a.py", mark + text.encode(), max_document_bytes=100)[0]) == 1
    documents, report = read(tmp_path / "a.py", mark + text.encode(), max_document_bytes=99)
    assert documents == [] and report.drain() == [(f"{tmp_path}/a.py", TOO_LONG)]
    with pytest.raises(ValueError, match=f"a.py: {TOO_LONG}"):
        read(tmp_path / "a.py", text.encode(), max_document_bytes=99, strict=True)


@pytest.mark.parametrize("options", [{"doc_mode": "blank_line"},
                                     {"doc_mode": "separator", "separator": "---"}])
def test_a_long_text_of_short_documents_is_read_piece_by_piece(tmp_path, options):
    """As if it had been read at once, but for documents that are too long themselves."""
    draw, divider = random.Random(0), options.get("separator", "")
    for _ in range(60):
        sizes = draw.choices([1, 5, 30, 59, 60, 61, 200], k=draw.randint(1, 12))
        documents = ["".join(draw.choices("ab-\u00e9", k=size)).rstrip("-")[:size] + "z"
                     for size in sizes]
        text = "".join(f"{d}\n" + f"{divider}\n" * draw.randint(1, 3) for d in documents)
        content = (f"{divider}\n" * draw.randint(0, 2) + text).encode()
        options |= {"min_doc_length": 1}
        whole, _ = read(tmp_path / "a.py", content, **options)
        found, report = read(tmp_path / "a.py", content, max_document_bytes=60, **options)
        # A text that fits is not cut, so its documents fit; a piece ends at a dividing line.
        assert {d.text for d in found} >= {d.text for d in whole if len(d.text.encode()) <= 60}
        assert [d.text for d in found] == [d.text for d in whole if len(d.text.encode()) <= 60]
        long = sum(len(d.text.encode()) > 60 for d in whole)
        assert report.skipped == ({TOO_LONG: long} if long else {})
        assert len({d.name for d in found}) == len(found)
        files = FileList.find([tmp_path / "a.py"], suffixes=[".py"])
        for i, document in enumerate(found):
            rest = iter_documents(files, start=document.position, report=CorpusReport(),
                                  max_document_bytes=60, **options)
            assert list(rest) == found[i + 1 :]


def test_a_text_of_json_objects_is_warned_of_once(tmp_path):
    lines = b'{"text": "first of all"}\n\n{"text": "second of them"}\n'
    with pytest.warns(match="every line of it is a JSON object") as caught:
        documents, _ = read(tmp_path / "a.txt", b"\xef\xbb\xbf" + lines)
    told = [str(one.message) for one in caught if one.category is UserWarning]
    assert len(documents) == 1 and len(told) == 1 and str(tmp_path / "a.txt") in told[0]
    (tmp_path / "many").mkdir()
    for name in ("a.py", "b.py"):
        (tmp_path / "many" / name).write_bytes(lines)
    files = FileList.find([tmp_path / "many"], suffixes=[".py"])
    with pytest.warns(UserWarning) as caught:
        assert len(list(iter_documents(files, report=CorpusReport()))) == 2
    assert [one.category for one in caught].count(UserWarning) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for text in (b'{"a": 1}\n{"b": 2\n', b"{1: 2}  # Python\n", b'{"a": 1}\nx = 1\n'):
            read(tmp_path / "a.txt", text)
