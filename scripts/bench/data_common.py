"""Shared by the benchmarks: processes and their peak memory, turns, ratios, tables."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "data_peers"
SAMPLE_SECONDS = 0.02
MIB = 2**20


@dataclass
class Part:
    """The result of one benchmark: title, notes, a Markdown table, and all numbers (figures)."""

    title: str
    notes: list[str]
    header: Sequence[str]
    rows: list[Sequence[str]]
    figures: dict = field(default_factory=dict)

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", " ".join(self.notes), ""]
        lines += ["| " + " | ".join(self.header) + " |", "|" + "---|" * len(self.header)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


@dataclass
class Finished:
    """A process that ended with code 0. seconds: from start to exit. output: standard output.

    peak_mib: the largest sum of resident memory over it and its children, sampled every 20 ms, in
    which shared pages count in each; or the kernel's maximum of one process if that is more. None
    if the process was not watched.
    """

    seconds: float
    peak_mib: float | None
    output: str


def run(command: Sequence, *, watch: bool = False) -> Finished:
    """Run a command; RuntimeError with the end of its standard error if its code is not 0."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        # A new session, by which all its processes can be found and ended.
        process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=out,
                                   stderr=err, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            with _watched(process.pid if watch else None) as peak:
                process.wait()
            seconds = time.perf_counter() - started
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        out.seek(0)
        err.seek(0)
        if process.returncode:
            last = err.read().decode(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}: "
                               f"{' / '.join(last)}")
        return Finished(seconds, peak[0] / MIB or None, out.read().decode(errors="replace"))


@contextlib.contextmanager
def _watched(session: int | None):
    peak, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], _resident(session))

    thread = threading.Thread(target=look, daemon=True)
    if session is not None:
        thread.start()
    try:
        yield peak
    finally:
        done.set()
        if thread.ident is not None:
            thread.join()


def _resident(session: int) -> int:
    """Bytes resident in all processes of a session; those that end meanwhile count nothing."""
    together = largest = 0
    for folder in os.listdir("/proc"):
        if not folder.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = Path("/proc", folder, "stat").read_text(errors="replace")
            # The name in brackets may hold spaces: state, parent, group, session come behind it.
            if int(stat.rpartition(")")[2].split()[3]) == session:
                together += _kib(Path("/proc", folder, "smaps_rollup"), "Rss:")
                largest = max(largest, _kib(Path("/proc", folder, "status"), "VmHWM:"))
    return max(together, largest) * 2**10


def own_peak_mib() -> float:
    """Peak resident memory of this process in MiB. ru_maxrss would include the parent's memory."""
    return _kib(Path("/proc/self/status"), "VmHWM:") / 2**10


def _kib(path: Path, key: str) -> int:
    lines = path.read_text(errors="replace").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


class Side:
    """A process that says `ready` with a JSON line, then answers each line `turn` with another."""

    def __init__(self, command: Sequence):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(part) for part in command], cwd=ROOT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.ready = self._answer()

    def turn(self):
        self.process.stdin.write("turn\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()

    def _answer(self):
        # Libraries print on standard output too: an answer is a line with this mark.
        for line in self.process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        self.process.wait()
        self.errors.seek(0)
        last = self.errors.read().decode(errors="replace").strip().splitlines()[-3:]
        raise RuntimeError(f"a side ended early: {' / '.join(last)}")


def in_turns(sides: dict[str, Callable], rounds: int, subject: str) -> dict[str, list]:
    """Call each side once a round, in reverse order every other round. Returns name -> results."""
    results: dict[str, list] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sides if number % 2 == 0 else reversed(sides):
            say(f"{subject}, round {number + 1} of {rounds}: {name}")
            results[name].append(sides[name]())
    return results


def times_faster(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median over the rounds of theirs / ours, both in seconds: a machine's speed drifts."""
    return statistics.median(t / o for o, t in zip(ours, theirs, strict=True))


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def cores() -> int:
    """The number of cores that this process, and so each side, may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> str:
    """The processor and its cores, in words."""
    name = "unknown processor"
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {cores()} cores"


def say(line: str) -> None:
    """Print progress to standard error."""
    print(line, file=sys.stderr, flush=True)
