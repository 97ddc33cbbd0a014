"""Source files -> token files: `python -m data_tools.create_pretraining_data --help`.

Reads documents (the default corpus when no --input_path is given), loads or trains a tokenizer,
and writes PREFIX_ids.npy, PREFIX_idx.npz, PREFIX_meta.json and PREFIX_tokenizer/. Documents
stream through in batches: memory does not grow with the corpus, apart from its list of paths.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from data_tools.cli_options import parse_options

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help and after --workers is known
    from data_tools.corpus import CorpusReport, Document
    from data_tools.tokenizer import Tokenizer

BATCH_CHARS = 2_000_000  # enough for all cores at work; encoded, 100 to 200 MB


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    options = parse_options(argv)
    # Read once, when the tokenizers library starts its threads.
    os.environ["RAYON_NUM_THREADS"] = str(options.workers)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
    # A terminated run must still remove its temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        create(options)
    except (ValueError, OSError) as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        _say("error: interrupted, nothing was written")
        return 130
    return 0


def create(options: Namespace) -> None:
    """The whole journey, in order: tokenizer, documents, ids, files, summary."""
    import numpy as np

    from data_tools.corpus import CorpusReport
    from data_tools.token_file_writer import TokenFileWriter

    started = time.perf_counter()
    if options.default_corpus:
        from data_tools.default_corpus import EXCLUDED_DIRS, default_corpus_paths

        options.input_path = [str(path) for path in default_corpus_paths()]
        options.exclude_dirs = EXCLUDED_DIRS
    if not options.append_eos:
        _say(
            "warning: --no-append_eos glues documents together with nothing between them: "
            "the model cannot learn where a file ends"
        )
    tokenizer = _load_tokenizer(options) or _train_tokenizer(options)
    eos = _end_token(tokenizer, options.append_eos)
    end = np.array([eos] if options.append_eos else [], dtype=np.int32)

    encoding_started = time.perf_counter()
    report = CorpusReport()
    batches = _batches(_documents(options, report, shuffle=options.shuffle))
    first = next(batches, None)
    if first is None:
        raise ValueError(_nothing_found(options, report))
    with TokenFileWriter(options.output_prefix, tokenizer.vocab_size, tokenizer) as writer:
        with _Progress(options, report) as progress:
            for batch in itertools.chain([first], batches):
                for ids in tokenizer.encode_batch(batch):
                    writer.append(np.append(ids, end))
                progress.update()
        writer.meta = {
            "eos_token_id": eos,
            "append_eos": options.append_eos,
            "utf8_bytes": report.utf8_bytes,
            "seed": options.seed,
            "shuffled": options.shuffle,
            "source": {
                "input_path": options.input_path,
                "suffixes": list(options.suffixes),
                "doc_mode": options.doc_mode,
                "min_doc_length": options.min_doc_length,
                "skipped": report.skipped,
            },
        }
    _print_summary(options, report, writer.tokens, tokenizer, started, encoding_started)


def _load_tokenizer(options: Namespace) -> Tokenizer | None:
    from data_tools.tokenizer import Tokenizer

    if options.tokenizer:
        return Tokenizer.load(options.tokenizer)
    if options.vocab_file:
        return Tokenizer.from_vocab_and_merges(options.vocab_file, options.merge_file)
    return None


def _train_tokenizer(options: Namespace) -> Tokenizer:
    """Learn merges from whole documents, in seeded order, until the sample is large enough."""
    from data_tools.corpus import CorpusReport
    from data_tools.tokenizer import Tokenizer

    started = time.perf_counter()
    report = CorpusReport()
    limit = int(options.tokenizer_sample_mb * 1e6)

    def sample() -> Iterator[str]:
        for document in _documents(options, report, shuffle=True):
            yield document.text
            if report.utf8_bytes >= limit:
                return

    tokenizer = Tokenizer.train(sample(), options.vocab_size)
    if report.documents == 0:
        raise ValueError(_nothing_found(options, report))
    if not options.quiet:
        seconds, megabytes = time.perf_counter() - started, report.utf8_bytes / 1e6
        _say(
            f"tokenizer: {tokenizer.vocab_size:,} tokens learned in {seconds:.1f} s "
            f"from {report.documents:,} documents, {megabytes:.1f} MB"
        )
    return tokenizer


def _end_token(tokenizer: Tokenizer, needed: bool) -> int | None:
    try:
        return tokenizer.eos_token_id
    except ValueError:
        if needed:
            raise
        return None


def _documents(options: Namespace, report: CorpusReport, shuffle: bool) -> Iterator[Document]:
    from data_tools.corpus import iter_documents

    return iter_documents(
        options.input_path,
        suffixes=options.suffixes,
        doc_mode=options.doc_mode,
        separator=options.separator,
        json_key=options.json_key,
        min_doc_length=options.min_doc_length,
        exclude_dirs=options.exclude_dirs,
        shuffle_seed=options.seed if shuffle else None,
        report=report,
    )


def _batches(documents: Iterable[Document]) -> Iterator[list[str]]:
    batch, characters = [], 0
    for document in documents:
        batch.append(document.text)
        characters += len(document.text)
        if characters >= BATCH_CHARS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class _Progress:
    """A bar on a terminal, and a line every --log_interval documents anywhere; none if --quiet."""

    def __init__(self, options: Namespace, report: CorpusReport):
        from tqdm import tqdm

        self.report, self.quiet, self.interval = report, options.quiet, options.log_interval
        # disable=None: only where stderr is a terminal.
        self.bar = tqdm(unit="B", unit_scale=True, disable=True if options.quiet else None)
        self.started, self.next_line = time.perf_counter(), options.log_interval

    def __enter__(self) -> _Progress:
        return self

    def update(self) -> None:
        report = self.report
        self.bar.update(report.utf8_bytes - self.bar.n)
        if report.documents >= self.next_line and not self.quiet:
            self.next_line = (report.documents // self.interval + 1) * self.interval
            megabytes = report.utf8_bytes / 1e6
            speed = megabytes / (time.perf_counter() - self.started)
            line = f"{report.documents:,} documents, {megabytes:.1f} MB, {speed:.2f} MB/s"
            self.bar.write(line, file=sys.stderr)

    def __exit__(self, *_) -> None:
        self.bar.close()


def _nothing_found(options: Namespace, report: CorpusReport) -> str:
    skipped = "; ".join(report.skipped_lines())
    return (
        f"no documents in {', '.join(options.input_path)}: looked in folders and archives for "
        f"{' '.join(options.suffixes)} (--suffixes changes that){'; ' + skipped if skipped else ''}"
    )


def _print_summary(
    options: Namespace,
    report: CorpusReport,
    tokens: int,
    tokenizer: Tokenizer,
    started: float,
    encoding_started: float,
) -> None:
    import resource

    now = time.perf_counter()
    # ru_maxrss counts KiB on Linux and bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    documents, megabytes = report.documents, report.utf8_bytes / 1e6
    print(f"documents: {documents:,}  sentences: {documents:,}  tokens: {tokens:,}")
    print(f"bytes: {report.utf8_bytes:,}  vocabulary: {tokenizer.vocab_size:,}")
    print(
        f"tokens/document: {tokens / documents:.1f}  bytes/token: {report.utf8_bytes / tokens:.3f}"
    )
    for line in report.skipped_lines():
        print(line)
    print(
        f"encoding: {now - encoding_started:.1f} s, {megabytes / (now - encoding_started):.2f} MB/s"
        f"  total: {now - started:.1f} s  peak memory: {peak:.0f} MiB"
    )
    print(f"wrote {options.output_prefix}_{{ids.npy,idx.npz,meta.json,tokenizer/}}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
