"""Folders, archives and JSON lines -> one document at a time, and a count of what was left out.

A document's text is the file's bytes decoded as UTF-8 and nothing else: no strip, no newline
translation, byte order mark kept. PaddleNLP strips each text, and so loses the indentation of
a first line and the newline at a file's end.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from data_tools.corpus_sources import find_files, read_texts

DOC_MODES = ("file", "blank_line", "separator")
PYTHON_AND_CPP = tuple(".py .pyi .c .cc .cpp .cxx .h .hh .hpp .hxx .cu .cuh .ipp .inl".split())
MIN_DOC_LENGTH = 10
EXAMPLES_PER_REASON = 3


class Document(NamedTuple):
    """A text and where it came from: path, path:member, path:line, with #n when a text was cut."""

    name: str
    text: str


@dataclass
class CorpusReport:
    """What iter_documents has yielded and skipped so far.

    `skipped` counts by reason: "binary" (holds a NUL byte), "not UTF-8", "too short",
    "bad JSON line", "unreadable"; `examples` keeps the first few names of each.
    """

    documents: int = 0
    utf8_bytes: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, reason: str, name: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        names = self.examples.setdefault(reason, [])
        if len(names) < EXAMPLES_PER_REASON:
            names.append(name)

    def skipped_lines(self) -> list[str]:
        """One line per reason, for the console."""
        return [
            f"skipped, {reason}: {count:,} (such as {', '.join(self.examples[reason])})"
            for reason, count in sorted(self.skipped.items())
        ]


def iter_documents(
    paths: Sequence[str | os.PathLike],
    *,
    suffixes: Sequence[str] = PYTHON_AND_CPP,
    doc_mode: str = "file",
    separator: str | None = None,
    json_key: str = "text",
    min_doc_length: int = MIN_DOC_LENGTH,
    exclude_dirs: Sequence[str] = (),
    shuffle_seed: int | None = None,
    report: CorpusReport,
) -> Iterator[Document]:
    """Documents of all inputs, counted in `report`; the same inputs give the same order.

    paths: folders (recursive, files with one of `suffixes`), files, `.jsonl`, `.jsonl.zst`,
    `.tar`, `.tar.gz`, `.tgz`, `.zip` (members with one of `suffixes`).
    doc_mode: what one document is: the whole text of a file, member or JSON record ("file"), a
    run of its lines between blank ones ("blank_line"), or between lines that equal `separator`.
    The dividing lines belong to no document.
    min_doc_length: characters; shorter documents, and those of white space only, are skipped.
    shuffle_seed: None keeps the sorted order. A number permutes the files, never lines, so that
    a split by document is one by random file. An archive or a .jsonl keeps its own order inside.

    Memory holds the list of paths and one text. Bad inputs raise ValueError before any reading.
    """
    _check_doc_mode(doc_mode, separator)
    files = find_files(paths, suffixes, exclude_dirs)
    if shuffle_seed is not None:
        # random() is the one method whose sequence Python promises to keep across versions.
        draw = random.Random(shuffle_seed).random
        files.sort(key=lambda _: draw())
    return _documents(files, suffixes, doc_mode, separator, json_key, min_doc_length, report)


def _check_doc_mode(doc_mode: str, separator: str | None) -> None:
    if doc_mode not in DOC_MODES:
        raise ValueError(f"doc_mode is one of {', '.join(DOC_MODES)}, not {doc_mode!r}")
    if (doc_mode == "separator") != bool(separator):
        raise ValueError(
            f"doc_mode 'separator' and a separator go together: got {doc_mode!r}, {separator!r}"
        )
    if separator and "\n" in separator:
        raise ValueError(f"separator is one whole line without its line end, not {separator!r}")


def _documents(
    files: list[str],
    suffixes: Sequence[str],
    doc_mode: str,
    separator: str | None,
    json_key: str,
    min_doc_length: int,
    report: CorpusReport,
) -> Iterator[Document]:
    for path in files:
        for name, data, problem in read_texts(path, suffixes, json_key):
            text = None
            if problem is None and b"\0" in data:
                problem = "binary"
            if problem is None:
                try:
                    text = data.decode("utf-8")
                except UnicodeDecodeError:
                    problem = "not UTF-8"
            if problem is not None:
                report.skip(problem, name)
                continue
            for number, part in enumerate(_cut(text, doc_mode, separator), start=1):
                part_name = name if doc_mode == "file" else f"{name}#{number}"
                if len(part) < min_doc_length or not part.strip():
                    report.skip("too short", part_name)
                    continue
                report.documents += 1
                report.utf8_bytes += len(part) if part.isascii() else len(part.encode("utf-8"))
                yield Document(part_name, part)


def _cut(text: str, doc_mode: str, separator: str | None) -> Iterator[str]:
    if doc_mode == "file":
        yield text
        return
    lines: list[str] = []
    # newline="\n": lines end there alone. str.splitlines would also cut at form feeds.
    for line in io.StringIO(text, newline="\n"):
        bare = line.rstrip("\r\n")
        if bare == separator if doc_mode == "separator" else not bare.strip():
            if lines:
                yield "".join(lines)
            lines = []
        else:
            lines.append(line)
    if lines:
        yield "".join(lines)
