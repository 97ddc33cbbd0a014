"""What a run prints: a progress bar, a line at intervals, and a summary at the end."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict, dataclass

from data_tools.reading.corpus import CorpusReport


class Progress:
    """A bar on a terminal, and a line every --log_interval documents anywhere; none if --quiet."""

    def __init__(self, options: Namespace, total_bytes: int, done: CorpusReport):
        from tqdm import tqdm

        self.quiet, self.interval = options.quiet, options.log_interval
        # disable=None: only where stderr is a terminal.
        self.bar = tqdm(total=total_bytes, initial=done.utf8_bytes, unit="B", unit_scale=True,
                        disable=True if options.quiet else None)
        self.started, self.began_at = time.perf_counter(), done.utf8_bytes
        self.next_line = (done.documents // self.interval + 1) * self.interval

    def __enter__(self) -> Progress:
        return self

    def update(self, report: CorpusReport) -> None:
        self.bar.update(report.utf8_bytes - self.bar.n)
        if report.documents >= self.next_line and not self.quiet:
            self.next_line = (report.documents // self.interval + 1) * self.interval
            seconds = time.perf_counter() - self.started
            speed = (report.utf8_bytes - self.began_at) / 1e6 / seconds
            line = (f"{report.documents:,} documents, {report.utf8_bytes / 1e6:.1f} MB, "
                    f"{speed:.2f} MB/s")
            self.bar.write(line, file=sys.stderr)

    def __exit__(self, *_) -> None:
        self.bar.close()


@dataclass
class Summary:
    """Numbers of one process's run; megabytes are 10^6 bytes of text, times are seconds."""

    documents: int
    tokens: int
    utf8_bytes: int
    vocab_size: int
    encoder: str
    unknown_tokens: int  # <unk>, by this process: text that the vocabulary lost
    encoded_bytes: int  # by this process; less than utf8_bytes where a run was continued
    preparing_seconds: float  # until the first text went to the encoder
    encoding_seconds: float  # from there to the files in place
    encoder_busy_seconds: float  # of those, inside the encoder
    total_seconds: float
    peak_memory_mib: float

    def print(self, options: Namespace, report: CorpusReport) -> None:
        """Print the summary of PaddleNLP's script, times and memory; write --summary_json."""
        tokens, documents = max(self.tokens, 1), max(self.documents, 1)
        speed = self.encoded_bytes / 1e6 / self.encoding_seconds
        busy = self.encoder_busy_seconds / self.encoding_seconds
        print(f"documents: {self.documents:,}  sentences: {self.documents:,}  "
              f"tokens: {self.tokens:,}")
        print(f"bytes: {self.utf8_bytes:,}  vocabulary: {self.vocab_size:,}")
        print(f"tokens/document: {self.tokens / documents:.1f}  "
              f"bytes/token: {self.utf8_bytes / tokens:.3f}")
        if self.unknown_tokens:
            print(f"unknown: {self.unknown_tokens:,} of the tokens made now stand for text that "
                  "the vocabulary lacks")
        for line in report.skipped_lines():
            print(printable(line))
        prefix = printable(options.output_prefix)
        if report.skipped:
            print(f"named in {prefix}_skipped.jsonl")
        print(f"encoding: {self.encoding_seconds:.1f} s, {speed:.2f} MB/s, {busy:.0%} of it in "
              f"{self.encoder}  total: {self.total_seconds:.1f} s  "
              f"peak memory: {self.peak_memory_mib:.0f} MiB")
        print(f"wrote {prefix}_{{ids.npy,idx.npz,meta.json,tokenizer/}}")
        if options.summary_json:
            with open(options.summary_json, "w", encoding="utf-8") as file:
                json.dump(asdict(self) | {"skipped": report.skipped}, file, indent=2)
                file.write("\n")


def peak_memory_mib() -> float:
    """Of this process and the largest of its children that have ended."""
    import resource

    # ru_maxrss counts KiB on Linux and bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own, children = (resource.getrusage(who).ru_maxrss / unit
                     for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    try:
        # On Linux ru_maxrss begins with the memory of whoever started this process.
        with open("/proc/self/status", encoding="ascii") as status:
            own = next(int(line.split()[1]) / 2**10 for line in status if line[:6] == "VmHWM:")
    except (OSError, StopIteration):
        pass
    return own + children


def say(line: str) -> None:
    """Print on stderr; standard output is for the summary."""
    print(printable(line), file=sys.stderr, flush=True)


def printable(line: str) -> str:
    """A file's name need not be UTF-8; Python then holds lone surrogates, which no stream takes."""
    return line.encode("utf-8", "backslashreplace").decode("utf-8")
