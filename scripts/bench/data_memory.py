"""Peak memory of this project's command on the corpus, and on many copies of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from data_common import Part, run, say
from data_corpus import Corpus, repeat, repeat_in_other_words
from data_end_to_end import our_command

WORKERS = 2
TIMES, QUICK_TIMES = 20, 3
MOST_GROWTH, MOST_MIB = 1.10, 1536
HEADER = ("input", "files", "MB", "peak MiB, all processes", "times the first row", "MB/s")


def measure(corpus: Corpus, tokenizer: Path, work: Path, quick: bool) -> Part:
    times = QUICK_TIMES if quick else TIMES
    copies = work / "copies"
    inputs = {
        "the default corpus once": lambda: corpus,
        f"{times} times over": lambda: repeat(corpus, copies, times),
        f"{times} times, each in other words": lambda: repeat_in_other_words(corpus, copies, times),
    }
    rows, figures, first = [], {}, None
    for name, make in inputs.items():
        say(f"memory: {name}")
        own = _peak(make(), tokenizer, work / "out")
        first = first or own["peak_mib"]
        own["times_first"] = own["peak_mib"] / first
        rows.append((name, f"{own['files']:,}", f"{own['megabytes']:.0f}",
                     f"{own['peak_mib']:.0f}", f"{own['times_first']:.2f}",
                     f"{own['mb_per_s']:.2f}"))
        figures[name] = own
    shutil.rmtree(copies)
    shutil.rmtree(work / "out")
    *plain, other_words = figures
    broken = [name for name, own in figures.items() if own["peak_mib"] > MOST_MIB]
    broken += [name for name in plain if figures[name]["times_first"] > MOST_GROWTH]
    notes = [
        f"{WORKERS} workers. Resident memory summed over all processes, looked at every 20 ms "
        "(pages that they share count more than once), or the kernel's own maximum of the "
        "largest where that is more.",
        f"Plain copies repeat every word; those of \"{other_words}\" share none of theirs: what is "
        "more there is what the encoder remembers of words, 110 MB a thread at most.",
        f"Bounds: growth by {MOST_GROWTH - 1:.0%} over plain copies, {MOST_MIB:,} MiB anywhere; "
        f"{_verdict(broken, quick)}.",
    ]
    return Part("Memory does not grow with the corpus", notes, HEADER, rows,
                {"broken_bounds": broken, **figures})


def _verdict(broken: list[str], quick: bool) -> str:
    if quick:
        return "a corpus this small says nothing about them"
    return f"NOT HELD by: {', '.join(broken)}" if broken else "held"


def _peak(corpus: Corpus, tokenizer: Path, out: Path) -> dict:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    finished = run(our_command(corpus.folder, tokenizer, out / "x", WORKERS), watch=True)
    read = json.loads((out / "x_meta.json").read_text())["documents"]
    if read != len(corpus.files):
        raise ValueError(f"{read} documents came out of {len(corpus.files)} files")
    return {"files": read, "megabytes": corpus.bytes / 1e6, "peak_mib": finished.peak_mib,
            "seconds": finished.seconds, "mb_per_s": corpus.bytes / 1e6 / finished.seconds}
