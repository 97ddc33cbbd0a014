"""Source files -> token files: `python -m data_tools.create_pretraining_data --help`.

Reads documents (the default corpus when no --input_path is given), loads or trains a tokenizer,
and writes PREFIX_ids.npy, PREFIX_idx.npz, PREFIX_meta.json and PREFIX_tokenizer/. Documents
stream through in batches, so memory does not grow with the corpus. A run that was stopped, even
by kill -9 or a power cut, is continued by the same command.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import args
from data_tools.preparing.options import PreparingConfig
from data_tools.tokenizing import preload

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help and after --workers is known
    from data_tools.preparing.partial_run import PartialRun


def parse(argv: list[str] | None = None) -> PreparingConfig:
    return args.parse(
        PreparingConfig, "python -m data_tools.create_pretraining_data",
        "Turn source files into token files for pretraining. A run that was stopped, started again "
        "with the same flags, continues.", argv, names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    config = parse(argv)

    def make() -> None:
        if config.tokenizing.tokenizer and not config.fim.fim_rate:
            preload.begin(config.tokenizing.tokenizer)
        create(config)

    return run(make, config.running.workers, "the same command continues from the last checkpoint")


def run(make: Callable[[], None], workers: int, after: str) -> int:
    """Call `make` as a command; its exit code. after: what to do after an interruption."""
    # Read once, when the tokenizers libraries start their threads.
    os.environ["RAYON_NUM_THREADS"] = str(workers)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    from data_tools.preparing.report import say

    warnings.showwarning = lambda message, *_: say(f"warning: {message}")
    # A terminated run must still close its files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        make()
    except (ValueError, OSError) as error:
        say(f"error: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        say(f"error: interrupted; {after}")
        return 130
    return 0


def create(config: PreparingConfig) -> None:
    """Do the run in order: find files, get the tokenizer, write ids, put files in place, report."""
    started, options = time.perf_counter(), config.filled_in()
    from data_tools.preparing.inputs import find_inputs, given_tokenizer, plan_of, trained_tokenizer
    from data_tools.preparing.partial_run import PartialRun
    from data_tools.preparing.report import say
    from data_tools.token_files.writer import checked_prefix

    if not options.append_eos:
        say("warning: --no-append_eos glues documents together with nothing between them: "
            "the model cannot learn where a file ends")
    checked_prefix(options.output_prefix)
    if options.summary_json and not os.path.isdir(os.path.dirname(options.summary_json) or "."):
        raise ValueError(f"--summary_json {options.summary_json}: there is no such folder")
    tokenizer = given_tokenizer(options)
    if tokenizer and tokenizer.holds_gil:
        tokenizer.self_check([])  # says now that a package is missing
    elif tokenizer:
        tokenizer.warm_up()  # beside the search for files
    files = find_inputs(options)
    with PartialRun(options.output_prefix, plan_of(options, files, tokenizer)) as run:
        if run.finished:
            say(f"{options.output_prefix} was complete; put it in place")
            return
        tokenizer = tokenizer or trained_tokenizer(options, files, run.tokenizer_folder)
        if run.state and not options.quiet:
            say(f"continuing behind {run.state['reports']['read']['documents']:,} documents")
        _fill(options, files, tokenizer, run, started)


def _fill(options: Namespace, files, tokenizer, run: PartialRun, started: float) -> None:
    """Encode the documents that an earlier run did not, and put the files in place."""
    from data_tools.cleaning.filters import filters_from
    from data_tools.cleaning.late_filter import LateFilter
    from data_tools.fim import FimEncoder
    from data_tools.preparing.batches import (
        SLOW_BATCH_CHARS,
        batched,
        encoded,
        first_texts,
        with_end,
    )
    from data_tools.preparing.inputs import documents, keep_tokenizer, meta_of, nothing_found
    from data_tools.preparing.report import Progress, Summary, peak_memory_mib
    from data_tools.reading.corpus import CorpusReport
    from data_tools.tokenizing.any_tokenizer import end_of

    encoder = tokenizer if not options.fim_rate else FimEncoder(
        tokenizer, options.fim_rate, options.fim_spm_rate, options.seed)
    eos = tokenizer.eos_token_id if options.append_eos else end_of(tokenizer)
    filters = filters_from(options)
    memories = [one for one in filters if one.remembers]
    run.open_streams(tokenizer, memories)
    reports = (run.state or {}).get("reports", {})
    report = CorpusReport.from_json(reports.get("read", {}))
    late = LateFilter(options.min_chars_per_token, CorpusReport.from_json(reports.get("late", {})))
    start = tuple((run.state or {}).get("position", (0, 0)))
    before = report.utf8_bytes
    step = int(options.checkpoint_mb * 1e6)
    due = before + step
    reading = batched(documents(options, files, report, filters, start), report, memories,
                      SLOW_BATCH_CHARS if tokenizer.holds_gil else None)
    first = next(reading)
    tokenizer.self_check(first_texts(first.texts))
    encoding_started, busy, unknown = time.perf_counter(), 0.0, 0
    with (Progress(options, files.total_bytes, report) as progress,
          ThreadPoolExecutor(1) as beside):
        beside.submit(keep_tokenizer, tokenizer, run.tokenizer_folder)
        for batch, ids, offsets, seconds in encoded(_chain(first, reading), encoder,
                                                    options.workers):
            busy += seconds
            if tokenizer.unk_token_id is not None:
                unknown += int((ids == tokenizer.unk_token_id).sum())
            ids, offsets = late(batch, ids, offsets)
            if options.append_eos:
                ids, offsets = with_end(ids, offsets, eos)
            run.tokens.append_flat(ids, offsets)
            run.log(batch)
            read = CorpusReport.from_json(batch.report)
            progress.update(read)
            if batch.position and read.utf8_bytes >= due:
                due = read.utf8_bytes + step
                run.checkpoint(batch.position,
                               {"read": batch.report, "late": late.report.to_json()})
    total = late.applied_to(report)
    if not run.tokens.documents and not options.shard:
        raise ValueError(nothing_found(options, total))
    tokens = run.tokens.tokens
    run.finish(meta_of(options, files, total, eos), tokenizer)
    now = time.perf_counter()
    Summary(
        documents=total.documents, tokens=tokens, utf8_bytes=total.utf8_bytes,
        vocab_size=tokenizer.vocab_size, encoder=tokenizer.encoder,
        encoded_bytes=report.utf8_bytes - before,
        preparing_seconds=encoding_started - started, encoding_seconds=now - encoding_started,
        unknown_tokens=unknown, encoder_busy_seconds=busy, total_seconds=now - started,
        peak_memory_mib=peak_memory_mib(),
    ).print(options, total)


def _chain(first, rest):
    yield first
    yield from rest


if __name__ == "__main__":
    sys.exit(main())
