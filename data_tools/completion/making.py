"""A run of create_completion_data: files -> tokens on the disk -> windows in train and dev.

Tokens of all files are stored first, because which of them are for dev is known when all have been
read. Memory then holds 9 bytes a file; with --split window also a byte a window.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from argparse import Namespace
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from data_tools.cleaning.filters import filters_from
from data_tools.completion import languages, windows
from data_tools.completion.infilling import Infilling
from data_tools.files import checksums, target_of, whole_folder
from data_tools.preparing.batches import batched, encoded, first_texts, with_end
from data_tools.preparing.inputs import (
    documents,
    find_inputs,
    given_tokenizer,
    meta_of,
    nothing_found,
    trained_tokenizer,
)
from data_tools.preparing.report import Progress, printable
from data_tools.reading.corpus import CorpusReport, Document
from data_tools.token_files.streams import save_tokenizer, write_json
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

NO_LANGUAGE = "of none of the languages"
OURS = ("train.jsonl", "dev.jsonl", "meta.json", "tokenizer", "skipped.jsonl")
FORMAT_VERSION = 1


class Files:
    """Every file's tokens, and beside them its language (uint8) and its draw (uint64)."""

    def __init__(self, tokens: TokenFile, language: np.ndarray, keys: np.ndarray):
        self.tokens, self.language, self.keys = tokens, language, keys


def make(options: Namespace) -> None:
    """Write options.output_dir/json whole or not at all; ValueError for what cannot be used."""
    target = Path(options.output_dir) / "json"
    _check_ours(target)
    tokenizer = given_tokenizer(options)
    files = find_inputs(options)
    report = CorpusReport()
    with whole_folder(target) as folder:
        if tokenizer is None:
            tokenizer = trained_tokenizer(options, files, folder / "tokenizer")
        else:
            save_tokenizer(tokenizer, folder / "tokenizer")
        stored = _stored(options, files, tokenizer, report, folder)
        counts = _counts_of_files(options, stored)
        infilling = Infilling(options, tokenizer) if options.fim_rate else None
        _write(options, stored, infilling, counts, folder)
        for path in folder.glob("stored_*"):
            path.unlink()
        meta = {
            "format_version": FORMAT_VERSION,
            "languages": counts,
            "records": {name: sum(one[f"{name}_records"] for one in counts.values())
                        for name in ("train", "dev")},
            "vocab_size": tokenizer.vocab_size,
            "tokenizer_fingerprint": tokenizer.fingerprint(),
            "eos": options.eos,
            **{name: getattr(options, name) for name in
               ("split", "dev_size", "segment_len", "stride", "min_segment_len")},
            **({"fim_too_long": infilling.too_long} if infilling else {}),
            "sha256": {name: checksums(folder / f"{name}.jsonl")["sha256"]
                       for name in ("train", "dev")},
        }
        write_json(folder / "meta.json",
                   meta | meta_of(options, files, report, tokenizer.eos_token_id))
    _say(options, counts, report, target)


def _check_ours(target: Path) -> None:
    """ValueError where the folder, which will be replaced, holds files of another program."""
    names = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    foreign = [name for name in names if (target_of(name) or name) not in OURS]
    if foreign:
        raise ValueError(f"{target} holds {foreign[0]}, which this command did not make: move it, "
                         "or give another --output_dir")


def _stored(options: Namespace, files, tokenizer, report: CorpusReport, folder: Path) -> Files:
    """Encode every file, and keep its tokens, with the end token where files end in one.

    ValueError where there is no file at all.
    """
    filters = filters_from(options)
    reading = _known(options, documents(options, files, report, filters), report)
    language, keys = bytearray(), []
    own = list(options.suffixes_of)
    batches = batched(reading, report, [one for one in filters if one.remembers])
    first = next(batches)
    tokenizer.self_check(first_texts(first.texts))
    with (TokenFileWriter(folder / "stored", tokenizer.vocab_size) as writer,
          open(folder / "skipped.jsonl", "wb") as skipped,
          Progress(options, files.total_bytes, report) as progress):
        for batch, ids, offsets, _ in encoded(chain([first], batches), tokenizer, options.workers):
            if options.eos == "file":
                ids, offsets = with_end(ids, offsets, tokenizer.eos_token_id)
            writer.append_flat(ids, offsets)
            language += bytes(own.index(languages.of_document(name, options.suffixes_of))
                              for name in batch.names)
            keys.append(np.array([_draw(text, options.seed) for text in batch.texts], np.uint64))
            skipped.write(batch.skipped_log())
            progress.update(CorpusReport.from_json(batch.report))
        if not writer.documents:
            raise ValueError(nothing_found(options, report))
    if not report.skipped:
        (folder / "skipped.jsonl").unlink()
    return Files(TokenFile.open(folder / "stored"), np.frombuffer(bytes(language), np.uint8),
                 np.concatenate(keys))


def _known(options, reading: Iterator[Document], report: CorpusReport) -> Iterator[Document]:
    """Those whose language is known; the others are counted as skipped."""
    for document in reading:
        if languages.of_document(document.name, options.suffixes_of) is not None:
            yield document
            continue
        report.documents -= 1
        report.utf8_bytes -= len(document.text.encode())
        report.skip(NO_LANGUAGE, document.name)


def _draw(text: str, seed: int) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=f"split {seed}".encode()).digest()
    return int.from_bytes(digest, "little")


def _counts_of_files(options, stored: Files) -> dict[str, dict]:
    """By language; ValueError where there is no file of one that was asked for."""
    found = np.bincount(stored.language, minlength=len(options.suffixes_of)).tolist()
    counts = {}
    for (name, suffixes), files in zip(options.suffixes_of.items(), found, strict=True):
        if files:
            counts[name] = {"label": languages.label_of(name), "files": files}
        elif options.languages:
            raise ValueError(f"no {name} files in {', '.join(options.input_path)}: looked for "
                             f"{' '.join(suffixes)}")
    return counts


def _write(options, stored: Files, infilling: Infilling | None, counts, folder: Path) -> None:
    """Write both files of records, and add to the counts of each language."""
    names = list(options.suffixes_of)
    for_dev = {number: _for_dev(options, stored, number) for number in
               (names.index(name) for name in counts)}
    for name, one in counts.items():
        one |= {"tokens": 0, "train_records": 0, "dev_records": 0}
        if not for_dev[names.index(name)].any():
            warnings.warn(f"of {name} there is only one different file or window, so none of it is "
                          "in dev.jsonl", stacklevel=2)
    seen = dict.fromkeys(for_dev, 0)
    with (open(folder / "train.jsonl", "w", encoding="ascii") as train,
          open(folder / "dev.jsonl", "w", encoding="ascii") as dev):
        for file, number in enumerate(stored.language.tolist()):
            ids = np.asarray(stored.tokens.document(file))
            places = windows.windows(len(ids), options.segment_len, options.stride,
                                     options.min_segment_len)
            rows = [ids[start:stop] for start, stop in places]
            if infilling:
                rows = infilling(rows)
            one, label = counts[names[number]], languages.label_of(names[number])
            one["tokens"] += len(ids)
            for row in rows:
                is_dev = for_dev[number][seen[number]]
                seen[number] += options.split == "window"
                one["dev_records" if is_dev else "train_records"] += 1
                record = {"token_ids": row.tolist(), "label": label}
                (dev if is_dev else train).write(json.dumps(record) + "\n")
            seen[number] += options.split == "file"


def _for_dev(options, stored: Files, number: int) -> np.ndarray:
    """bool, of each file of a language, or of each window of its files, in order."""
    own = stored.language == number
    if options.split == "file":
        return windows.dev_files(stored.keys[own], options.dev_size)
    total = sum(windows.count(length, options.segment_len, options.stride)
                for length in stored.tokens.document_sizes[own].tolist())
    return windows.dev_windows(total, options.dev_size,
                               np.random.default_rng((options.seed, number)))


def _say(options, counts: dict, report: CorpusReport, target: Path) -> None:
    for name, one in counts.items():
        print(f"{name}: {one['files']:,} files  {one['tokens']:,} tokens  "
              f"{one['train_records']:,} windows for training, {one['dev_records']:,} for dev")
    for line in report.skipped_lines():
        print(printable(line))
    if options.split == "window":
        print("split by window: windows of the same file are in train and dev, so results on dev "
              "are too good")
    print(f"wrote {printable(str(target))}/{{train.jsonl,dev.jsonl,meta.json,tokenizer/}}")
