"""Source files -> records with CodeParrot's columns: `python -m data_tools.create_code_records`.

A line of the output is {"repo_name", "path", "copies", "size", "content", "license"}, all texts, as
in huggingface-course/codeparrot-ds-train.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from dataclasses import dataclass

import args
from data_tools.create_pretraining_data import run
from data_tools.options import Options, flag, group, require, require_at_least_one
from data_tools.preparing.flags import ReadingOptions
from data_tools.preparing.options import PreparingConfig


@dataclass(frozen=True, kw_only=True)
class CodeRecordsConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    output_file: str = flag(help="FILE.jsonl: an object a line, with the columns repo_name (the "
                                 "folder that was named), path (inside it), copies, size, content, "
                                 "license")
    max_files: int | None = flag(None, "files at most, drawn by --seed (default: all)")
    license: str = flag("unknown", "of the files")
    reading: ReadingOptions = group(ReadingOptions, only=(
        "input_path", "language", "suffixes", "include", "exclude", "min_doc_length",
        "max_document_bytes", "strict", "seed"))

    def __post_init__(self):
        require_at_least_one(self, "max_files")
        require(self.output_file.endswith(".jsonl"),
                f"--output_file {self.output_file}: expected a name that ends in .jsonl")

    def filled_in(self) -> Namespace:
        """The values by name, with those that reading files needs beside them."""
        reading = PreparingConfig(reading=self.reading).filled_in()
        return Namespace(**vars(reading) | self.flat() | {
            name: getattr(reading, name) for name in ("suffixes", "include", "exclude")})


def parse(argv: list[str] | None = None) -> CodeRecordsConfig:
    return args.parse(
        CodeRecordsConfig, "python -m data_tools.create_code_records",
        "Write source files as records with CodeParrot's columns, in JSON lines.", argv,
        names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    config = parse(argv)
    return run(lambda: create(config), 1, "nothing was written")


def create(config: CodeRecordsConfig) -> None:
    """Write the file whole or not at all."""
    from itertools import islice

    from data_tools.files import whole_file
    from data_tools.preparing.inputs import documents, find_inputs, nothing_found
    from data_tools.preparing.report import say
    from data_tools.reading.corpus import CorpusReport

    options = config.filled_in()
    files, report = find_inputs(options), CorpusReport()
    os.makedirs(os.path.dirname(options.output_file) or ".", exist_ok=True)
    with whole_file(options.output_file) as output:
        for document in islice(documents(options, files, report), options.max_files):
            record = _record(document, options)
            output.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        if not report.documents:
            raise ValueError(nothing_found(options, report))
    for line in report.skipped_lines():
        say(line)
    say(f"wrote {report.documents:,} records, {report.utf8_bytes / 1e6:.1f} MB of code, to "
        f"{options.output_file}")


def _record(document, options: Namespace) -> dict[str, str]:
    root = next((root for root in map(os.path.realpath, options.input_path)
                 if document.name.startswith(os.path.join(root, ""))), "")
    return {
        "repo_name": os.path.basename(root), "path": os.path.relpath(document.name, root or "/"),
        "copies": "1", "size": str(len(document.text.encode())), "content": document.text,
        "license": options.license,
    }


if __name__ == "__main__":
    sys.exit(main())
