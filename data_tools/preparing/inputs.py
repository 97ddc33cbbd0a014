"""What a run reads and with which tokenizer; the plan that a continued run must share."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_tools import VERSION
from data_tools.chinese_tokenizer import ChineseTokenizer
from data_tools.corpus import CorpusReport, Document, iter_documents
from data_tools.preparing.options import BYTES
from data_tools.preparing.report import say
from data_tools.reading.file_list import FileList
from data_tools.token_streams import save_tokenizer
from data_tools.tokenizer import Tokenizer, load_tokenizer

# Flags that change nothing in the files that a run writes.
NO_MATTER = ("workers", "checkpoint_mb", "log_interval", "quiet", "summary_json", "strict")


def find_inputs(options: Namespace) -> FileList:
    """All files of the corpus, in the order in which they are read; ValueError without inputs."""
    if options.default_corpus:
        from data_tools.default_corpus import EXCLUDED_DIRS, default_corpus_paths

        options.input_path = [str(path) for path in default_corpus_paths()]
        options.exclude_dirs = EXCLUDED_DIRS
    files = FileList.find(
        options.input_path,
        suffixes=options.suffixes,
        include=options.include,
        exclude=options.exclude,
        exclude_dirs=options.exclude_dirs,
    )
    files.order(options.seed if options.shuffle else None)
    return files


def documents(
    options: Namespace, files: FileList, report: CorpusReport, filters: Sequence = (),
    start: tuple[int, int] = (0, 0),
) -> Iterator[Document]:
    """Documents behind `start` of the whole corpus, or of the part that --shard names."""
    if options.shard:
        files = files.block(*options.shard)
    return _documents(options, files, report, filters, start)


def _documents(options, files, report, filters=(), start=(0, 0)) -> Iterator[Document]:
    return iter_documents(
        files,
        doc_mode=options.doc_mode,
        separator=options.separator,
        json_key=options.json_key,
        min_doc_length=options.min_doc_length,
        filters=filters,
        strict=options.strict,
        start=start,
        report=report,
    )


def given_tokenizer(options: Namespace):
    """The tokenizer that the flags name; None where one is to be trained."""
    if options.tokenizer == BYTES:
        return Tokenizer.byte_level()
    if options.tokenizer_name == "GPTChineseTokenizer":
        segmenter = None if options.cn_splited else options.cn_seg_func
        presplit = options.cn_split_dimer if options.cn_splited else None
        return ChineseTokenizer.load(options.tokenizer, segmenter=segmenter, presplit=presplit)
    if options.tokenizer:
        return load_tokenizer(options.tokenizer)
    if options.vocab_file:
        return Tokenizer.from_vocab_and_merges(options.vocab_file, options.merge_file)
    return None


def trained_tokenizer(options: Namespace, files: FileList, folder: Path) -> Tokenizer:
    """Learn merges from whole documents, in seeded order, until the sample is large enough.

    The result is kept in `folder`, where a run that is stopped later finds it again.
    """
    if folder.exists():
        return Tokenizer.load(folder)
    started = time.perf_counter()
    report = CorpusReport()
    limit = int(options.tokenizer_sample_mb * 1e6)

    def sample() -> Iterator[str]:
        for document in _documents(options, files, report):
            yield document.text
            if report.utf8_bytes >= limit:
                return

    files.order(options.seed)
    tokenizer = Tokenizer.train(sample(), options.vocab_size)
    files.order(options.seed if options.shuffle else None)
    if report.documents == 0:
        raise ValueError(nothing_found(options, report))
    save_tokenizer(tokenizer, folder)
    if not options.quiet:
        seconds, megabytes = time.perf_counter() - started, report.utf8_bytes / 1e6
        say(
            f"tokenizer: {tokenizer.vocab_size:,} tokens learned in {seconds:.1f} s "
            f"from {report.documents:,} documents, {megabytes:.1f} MB"
        )
    return tokenizer


def plan_of(options: Namespace, files: FileList, tokenizer) -> dict:
    """All that shapes the output. A run continues another only where both plans are equal."""
    flags = {name: value for name, value in vars(options).items() if name not in NO_MATTER}
    flags |= {"shard": list(options.shard) if options.shard else None}
    return {
        "version": VERSION,
        "files": files.digest,
        "tokenizer": tokenizer and tokenizer.fingerprint(),
        "flags": {name: list(v) if isinstance(v, tuple) else v for name, v in flags.items()},
    }


def meta_of(options: Namespace, files: FileList, report: CorpusReport, eos: int | None) -> dict:
    """What X_meta.json says beside the counts; the same for the same corpus and flags."""
    meta = {
        "made_by": f"data_tools {VERSION}",
        "eos_token_id": eos,
        "append_eos": options.append_eos,
        "utf8_bytes": report.utf8_bytes,
        "seed": options.seed,
        "shuffled": options.shuffle,
        "source": {
            "input_path": options.input_path,
            "files": len(files),
            "files_sha256": files.digest,
            "suffixes": list(options.suffixes),
            "doc_mode": options.doc_mode,
            "min_doc_length": options.min_doc_length,
            "skipped": dict(sorted(report.skipped.items())),
        },
    }
    return meta | ({"shard": list(options.shard)} if options.shard else {})


def nothing_found(options: Namespace, report: CorpusReport) -> str:
    skipped = "; ".join(report.skipped_lines())
    return (
        f"no documents in {', '.join(options.input_path)}: looked in folders and archives for "
        f"{' '.join(options.suffixes)} (--suffixes changes that){'; ' + skipped if skipped else ''}"
    )
