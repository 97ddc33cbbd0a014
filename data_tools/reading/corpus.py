"""A list of files -> one document at a time, and a count of what was left out.

A document's text is the file's bytes decoded as UTF-8, without a byte order mark before them, and
nothing else: no strip, no newline translation. PaddleNLP strips each text, and so loses the
indentation of a first line and the newline at a file's end.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from data_tools.reading.languages import suffixes_of
from data_tools.reading.raw_text import MAX_DOCUMENT_BYTES, Rules
from data_tools.reading.sources import read_texts

if TYPE_CHECKING:  # numpy is loaded after --help
    from data_tools.cleaning.base import Filter
    from data_tools.reading.file_list import FileList

DOC_MODES = ("file", "blank_line", "separator")
PYTHON_AND_CPP = suffixes_of(("python", "cpp"))
MIN_DOC_LENGTH = 10
EXAMPLES_PER_REASON = 3
EVENTS_KEPT = 100_000
TOO_SHORT, BINARY, NOT_UTF8 = "too short", "binary", "not UTF-8"


class Document(NamedTuple):
    """A text and where it came from: path, path:member, path:row, with #n when a text was cut.

    position: (index of the file in the list, number of its texts that were read, this one and those
    that were left out included). iter_documents(start=position) begins behind this document.
    """

    name: str
    text: str
    position: tuple[int, int]


@dataclass
class CorpusReport:
    """What iter_documents has yielded and left out so far.

    `skipped` counts by reason: "binary" (holds a NUL byte), "not UTF-8", "too short",
    "longer than --max_document_bytes", "no column 'text' (--json_key)", "bad JSON line",
    "bad record" (a row without text),
    "link to no file of the archive", "unreadable", and the reasons of the filters; `examples`
    keeps the first few names of each.
    events: (name, reason) of each text left out since drain() was last called. Beyond EVENTS_KEPT
    of them only their number is kept, so that memory stays bounded where nobody drains.
    """

    documents: int = 0
    utf8_bytes: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    unnamed: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str, name: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        names = self.examples.setdefault(reason, [])
        if len(names) < EXAMPLES_PER_REASON:
            names.append(name)
        if len(self.events) < EVENTS_KEPT:
            self.events.append((name, reason))
        else:
            self.unnamed[reason] = self.unnamed.get(reason, 0) + 1

    def drain(self) -> list[tuple[str, str]]:
        """The events, which are then cleared; one more per reason counts those without a name."""
        events = self.events
        events += [(f"({count} more)", reason) for reason, count in self.unnamed.items()]
        self.events, self.unnamed = [], {}
        return events

    def to_json(self) -> dict:
        """Counts and examples as they are now, without the events."""
        return {
            "documents": self.documents,
            "utf8_bytes": self.utf8_bytes,
            "skipped": dict(self.skipped),
            "examples": {reason: list(names) for reason, names in self.examples.items()},
        }

    @classmethod
    def from_json(cls, counts: dict) -> CorpusReport:
        """A report that goes on counting from what to_json() gave, or from nothing: {}."""
        report = cls(**counts)
        return cls(**report.to_json())

    def skipped_lines(self) -> list[str]:
        """One line per reason, for the console."""
        return [
            f"skipped, {reason}: {count:,} (such as {', '.join(self.examples[reason])})"
            for reason, count in sorted(self.skipped.items())
        ]


def iter_documents(
    files: FileList,
    *,
    doc_mode: str = "file",
    separator: str | None = None,
    json_key: str = "text",
    min_doc_length: int = MIN_DOC_LENGTH,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
    filters: Sequence[Filter] = (),
    strict: bool = False,
    start: tuple[int, int] = (0, 0),
    report: CorpusReport,
) -> Iterator[Document]:
    """Documents of all files in the list's order, counted in `report`.

    files: read by their names' endings: archives `.tar`, packed or not, and `.zip` (the members
    that files.takes, as if they were files); records `.jsonl`, `.ndjson`, `.parquet`, `.arrow`, and
    `.json` that is an array of objects or an object a line; any other file is one text. Files and
    members may be packed as `.gz`, `.zst`, `.xz` or `.bz2`. An archive or a file of records keeps
    its own order inside, whatever the order of the list.
    doc_mode: what one document is: the whole text of a file, member or record ("file"), a
    run of its lines between blank ones ("blank_line"), or between lines that equal `separator`.
    The dividing lines belong to no document.
    json_key: key or column of a record's text.
    min_doc_length: characters; shorter documents, and those of white space only, are skipped.
    max_document_bytes: longer documents are skipped, and never held in memory as a whole.
    filters: each is asked in turn until one drops the document, under whose reason it is counted.
    strict: ValueError that names a text which cannot be read, instead of skipping it. Texts that
    are too short or dropped by a filter are always skipped.
    start: a document's position; texts up to it are neither counted nor given to the filters.

    Memory holds one text of max_document_bytes. Bad arguments raise ValueError before any reading.
    """
    _check_doc_mode(doc_mode, separator)
    if not 0 <= start[0] <= len(files) or start[1] < 0:
        raise ValueError(f"start {start} lies outside of a list of {len(files)} files")
    rules = Rules(json_key, max_document_bytes, _divider(doc_mode, separator))
    return _documents(
        files, doc_mode, separator, rules, min_doc_length, filters, strict, start, report
    )


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
    files: FileList,
    doc_mode: str,
    separator: str | None,
    rules: Rules,
    min_doc_length: int,
    filters: Sequence[Filter],
    strict: bool,
    start: tuple[int, int],
    report: CorpusReport,
) -> Iterator[Document]:
    first, done = start
    for index in range(first, len(files)):
        count = number = 0  # of this file's texts so far, of the last one's parts
        for name, data, problem, continues in read_texts(
            files[index], files.size(index), files.takes, rules
        ):
            text, number = None, number if continues else 0
            if problem is None and b"\0" in data:
                problem = BINARY
            if problem is None:
                try:
                    text = data.decode("utf-8")
                except UnicodeDecodeError:
                    problem = NOT_UTF8
            if problem is not None:
                count += 1
                if count > done:
                    if strict:
                        raise ValueError(f"{name}: {problem}; without --strict it is skipped")
                    report.skip(problem, name)
                continue
            for part in _cut(text, doc_mode, separator):
                count, number = count + 1, number + 1
                if count <= done:
                    continue
                part_name = name if doc_mode == "file" else f"{name}#{number}"
                reason = _left_out(part, min_doc_length, filters)
                if reason is not None:
                    report.skip(reason, part_name)
                    continue
                report.documents += 1
                report.utf8_bytes += len(data) if doc_mode == "file" else _utf8_bytes(part)
                yield Document(part_name, part, (index, count))
        done = 0


def _divider(doc_mode: str, separator: str | None) -> re.Pattern[bytes] | None:
    """Matches lines at which _cut cuts too."""
    if doc_mode == "file":
        return None
    line = rb"[ \t\v\f]*" if separator is None else re.escape(separator.encode())
    return re.compile(rb"^" + line + rb"\r*\n", re.MULTILINE)


def _left_out(text: str, min_doc_length: int, filters: Sequence[Filter]) -> str | None:
    """The reason why the text is no document, or None."""
    if len(text) < min_doc_length or not text or text.isspace():
        return TOO_SHORT
    return next((one.reason for one in filters if one.drops(text)), None)


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))


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
