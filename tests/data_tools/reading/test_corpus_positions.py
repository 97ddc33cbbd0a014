"""Reading can be continued after any document, and gives the same documents as without a stop."""

import json
import os
import tarfile

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.cleaning.base import Filter
from data_tools.cleaning.exact_duplicates import ExactDuplicate
from data_tools.reading import sources
from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList

ENDINGS = [".py", ".jsonl", ".jsonl.zst", ".tar"]


class WithoutX(Filter):
    """A filter that drops texts with an x."""

    reason = "has x"

    def drops(self, text):
        return "x" in text


def write(path, pieces):
    """Write a file of that kind with these texts and some that are not documents."""
    lines = "".join(json.dumps({"text": p}) + "\n" if p else "broken\n" for p in pieces).encode()
    if path.endswith(".py"):
        with open(path, "w") as file:
            file.write("\n\n".join(pieces))
    elif path.endswith(".tar"):
        with tarfile.open(path, "w") as archive:
            for number, piece in enumerate(pieces):
                inner = os.path.join(os.path.dirname(path), "member")
                with open(inner, "wb") as file:
                    file.write(piece.encode() or b"\xff")
                archive.add(inner, f"{number}.py")
                os.remove(inner)
    else:
        with open(path, "wb") as file:
            file.write(zstandard.compress(lines) if path.endswith(".zst") else lines)


pieces = st.lists(st.sampled_from(["", "y", "has x here", "one two three", "four\n\nfive six"]),
                  max_size=5)
corpora = st.lists(st.tuples(st.sampled_from(ENDINGS), pieces), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(corpora, st.sampled_from(["file", "blank_line"]), st.sampled_from([None, 1, 2]))
def test_from_any_document_on_the_rest_is_the_rest(tmp_path_factory, corpus, doc_mode, seed):
    root = str(tmp_path_factory.mktemp("corpus"))
    for number, (ending, content) in enumerate(corpus):
        write(f"{root}/{number}{ending}", content)
    files = FileList.find([root], suffixes=[".py", ".jsonl", ".zst", ".tar"])
    files.order(seed)
    filters, report = [WithoutX()], CorpusReport()
    whole, counts = [], [report.to_json()]
    options = {"doc_mode": doc_mode, "min_doc_length": 2, "filters": filters}
    for document in iter_documents(files, report=report, **options):
        whole.append(document)
        counts.append(report.to_json())
    assert [d.position for d in whole] == sorted({d.position for d in whole})
    events = report.drain()
    for i, start in enumerate([(0, 0), *(d.position for d in whole)]):
        again = CorpusReport.from_json(counts[i])
        assert list(iter_documents(files, start=start, report=again, **options)) == whole[i:]
        rest = again.drain()
        assert again == report
        assert rest == events[len(events) - len(rest) :]


def test_what_was_read_before_is_neither_counted_nor_filtered_nor_opened(tmp_path, monkeypatch):
    for i in range(6):
        (tmp_path / f"{i}.py").write_text(f"the same text of file {i // 2}")
    files = FileList.find([tmp_path], suffixes=[".py"])
    first = ExactDuplicate()
    documents = list(iter_documents(files, filters=[first], report=CorpusReport()))
    assert [d.position for d in documents] == [(0, 1), (2, 1), (4, 1)]
    opened, real = [], sources.read_texts
    monkeypatch.setattr(
        "data_tools.reading.corpus.read_texts",
        lambda path, *rest: (opened.append(path[-4:]), real(path, *rest))[1],
    )
    fresh, report = ExactDuplicate(), CorpusReport()
    rest = iter_documents(files, filters=[fresh], start=(3, 0), report=report)
    assert [d.position for d in rest] == [(3, 1), (4, 1)]
    assert opened == ["3.py", "4.py", "5.py"]
    assert report.documents == 2 and report.skipped == {fresh.reason: 1}


def test_strict_is_silent_about_what_was_read_before(tmp_path):
    (tmp_path / "a.jsonl").write_text('broken\n{"text": "first record"}\n{"text": "second one"}\n')
    files = FileList.find([tmp_path / "a.jsonl"], suffixes=[".py"])
    rest = iter_documents(files, start=(0, 2), strict=True, report=CorpusReport())
    assert [d.name for d in rest] == [f"{tmp_path}/a.jsonl:3"]
    with pytest.raises(ValueError, match="a.jsonl:1: bad JSON line"):
        next(iter_documents(files, strict=True, report=CorpusReport()))


def test_the_end_of_the_list_is_a_place_to_start(tmp_path):
    (tmp_path / "a.py").write_text("some text of a file")
    files = FileList.find([tmp_path], suffixes=[".py"])
    for start in ((0, 1), (1, 0)):
        assert list(iter_documents(files, start=start, report=CorpusReport())) == []
