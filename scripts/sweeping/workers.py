"""Run what a plan gives, several processes at once, until all of it has a result."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_tools.json_fields import read_object
from paddle_impl.process.runtime import core_count
from paddle_impl.process.stopping import StopSignals
from paddle_impl.tracking.curves import read_curves
from sweeping.command import ROOT, Command
from sweeping.folder import (
    CONSOLE,
    DONE,
    FAILED,
    SETTINGS,
    Claim,
    Folder,
    Result,
    clear,
    has_output,
    summary,
)
from sweeping.tpe import Tpe

POLL, WAIT, PATIENCE = 0.1, 1.0, 120.0  # seconds: own runs, others' runs, a run that shall stop
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM)
_LIBC = ctypes.CDLL(None)


class Plan:
    """The runs to do: `points` that are known from the start, and those that `tpe` chooses.

    total: how many runs there are in the end.
    """

    def __init__(self, folder: Folder, command: Command, points: list[dict[str, Any]],
                 tpe: Tpe | None = None, total: int = 0):
        self._folder, self._command, self._tpe = folder, command, tpe
        self._taken: set[str] = set()  # by this process: a run that was stopped waits for the next
        self.todo = {command.hash_of(point): point for point in points}
        self.total = total if tpe else len(self.todo)
        if tpe:
            self.todo = self._asked()
        self.names = set(self.todo)

    def finished(self) -> int:
        return sum(self._folder.is_over(name) for name in self.names)

    def take(self) -> Claim | None:
        """Claim the next run; None where none is left, or only what other processes have begun."""
        for name, settings in list(self.todo.items()):
            if self._folder.is_over(name):
                del self.todo[name]
            elif claim := self._folder.claim(name, settings):
                del self.todo[name]
                self._taken.add(name)
                return claim
        return self._choose() if self._tpe else None

    def _choose(self) -> Claim | None:
        with self._folder.alone():
            self._folder.refresh()
            runs = self._asked()
            self.names |= {*runs}
            self.todo = {name: settings for name, settings in runs.items()
                         if name not in self._taken and not self._folder.is_over(name)}
            if len(runs) >= self.total:
                return None
            settings = self._tpe.ask(runs, self._folder.results)
            if settings is None:  # the space has no other points
                self.total = len(runs)
                return None
            name = self._command.hash_of(settings)
            self.names.add(name)
            self._taken.add(name)
            return self._folder.claim(name, settings)

    def _asked(self) -> dict[str, dict[str, Any]]:
        """The runs of the folder that are of this grid."""
        return {name: settings for name, settings in self._folder.settings.items()
                if self._tpe.is_point(settings)}


class Job:
    """A process of one run. resumed: it goes on from what an earlier process has left."""

    def __init__(self, command: Command, claim: Claim, workers: int):
        self.claim, self.began = claim, time.monotonic()
        self.name = claim.directory.name
        self.resumed = has_output(claim.directory) and "resume" in command.flags
        if not self.resumed:
            clear(claim.directory)
        self._metrics = claim.directory / "metrics.jsonl"
        self._before = _changed(self._metrics)
        environment = {"OMP_NUM_THREADS": str(max(1, core_count() // workers))} \
            if workers > 1 else {}
        with open(claim.directory / CONSOLE, "ab") as console:
            self.process = subprocess.Popen(
                [sys.executable, "-u", str(command.path), str(claim.directory / SETTINGS),
                 "--output_dir", str(claim.directory), *(["--resume"] if self.resumed else [])],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                env=environment | os.environ | {"PYTHONPATH": _path()},
                # Ctrl-C reaches the sweep alone, which stops its runs. The lock stays while the
                # run lives, even if the sweep is killed.
                start_new_session=True, preexec_fn=_stop_with_the_sweep,
                pass_fds=[] if claim.descriptor is None else [claim.descriptor])

    def result(self) -> Result | None:
        """How the process ended; None if a signal has stopped it."""
        code = 0 if self.had_ended() else self.process.returncode
        if code in _STOPPED:
            return None
        curves, error = {}, None
        try:
            curves = read_curves(self._metrics)
        except (ValueError, OSError) as found:
            error = str(found)
        if code:
            error = _last_line(self.claim.directory / CONSOLE) or f"exit code {code}"
        elif not curves:
            error = error or "the run has measured nothing"
        return Result(
            FAILED if error else DONE, code, error and _one_line(error),
            time.monotonic() - self.began, max((max(one) for one in curves.values()), default=0),
            summary(curves))

    def had_ended(self) -> bool:
        """Whether an earlier process had taken the last step, when its sweep died: the command then
        refuses to resume it, and has written nothing.
        """
        if not self.resumed or self.process.returncode != 2 or self._before is None \
                or self._before != _changed(self._metrics):
            return False
        settings = read_object(self.claim.directory / SETTINGS)
        with contextlib.suppress(ValueError):
            return "max_steps" in settings and settings["max_steps"] <= max(
                max(curve) for curve in read_curves(self._metrics).values())
        return False

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def work(
    plan: Plan, folder: Folder, command: Command, workers: int,
    say: Callable[[str], None], finished: Callable[[str | None], None],
) -> str | None:
    """Run all of the plan; returns the name of the signal that ended it early, or None.

    finished: gets the name of each run when it is over, and None while others are waited for.
    After SIGINT or SIGTERM the runs are told to stop, which save a checkpoint first; a second
    SIGINT kills them.
    """
    jobs: list[Job] = []
    with StopSignals() as signals:
        try:
            while not signals.requested():
                while len(jobs) < workers and (claim := plan.take()):
                    jobs.append(Job(command, claim, workers))
                if not jobs and not plan.todo:
                    return None
                if not jobs:
                    finished(None)
                time.sleep(POLL if jobs else WAIT)
                jobs = [after for job in jobs
                        if (after := _after(job, folder, command, workers, say, finished))]
            if jobs:
                say(f"stopping {len(jobs)} run(s), which save a checkpoint first; Ctrl-C once more "
                    "kills them")
            for job in jobs:
                job.process.terminate()
            until = time.monotonic() + PATIENCE
            while jobs and time.monotonic() < until:
                time.sleep(POLL)
                jobs = [job for job in jobs
                        if job.process.poll() is None or _over(job, folder, say, finished)]
            return signals.received
        finally:
            for job in jobs:
                job.kill()
                job.claim.release()


def _after(job: Job, folder, command, workers, say, finished) -> Job | None:
    """The job if it runs on, None if it is over; another one if it could not be resumed."""
    code = job.process.poll()
    if code is None:
        return job
    if code == 2 and job.resumed and not job.had_ended():
        say(f"run {job.name} cannot be resumed, it begins anew: "
            f"{_one_line(_last_line(job.claim.directory / CONSOLE))}")
        clear(job.claim.directory)
        return Job(command, job.claim, workers)
    _over(job, folder, say, finished)
    return None


def _over(job: Job, folder: Folder, say, finished) -> None:
    """Keep the result of a process that has ended."""
    result = job.result()
    if result is None:
        say(f"run {job.name} was stopped; start the sweep again to finish it")
        job.claim.release()
        return
    folder.finish(job.claim, result)
    finished(job.name)


def _changed(path: Path) -> int | None:
    """When the file was last written, in nanoseconds; None where there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def _path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def _stop_with_the_sweep() -> None:
    """Let the kernel send SIGTERM to this process when the sweep dies. Linux only."""
    pr_set_pdeathsig = 1
    with contextlib.suppress(AttributeError):
        _LIBC.prctl(pr_set_pdeathsig, signal.SIGTERM)


def _last_line(path: Path) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))[:400]


