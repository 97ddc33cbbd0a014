"""The folder of a sweep: a folder for each run, named by the hash of its settings, and the tables.

    SWEEP/sweep.json                  the command, the same for all runs
    SWEEP/HASH/settings.json          the run's flags, as a file that the command takes
    SWEEP/HASH/console.log, ...       what the run said and wrote
    SWEEP/HASH/result.json            how it ended; absent while it runs and after it was stopped
    SWEEP/HASH/.claim                 locked by the process that runs it
    SWEEP/sweep.csv, .jsonl, .png     all results, the best first

Machines that share the folder share the sweep. A lock ends with its process, so what a process that
died has begun is free for the next one.
"""

import contextlib
import csv
import io
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_tools.files import lock_file, unlock_file, whole_file
from data_tools.json_fields import list_of, number, object_of, optional, read_object, text, whole
from paddle_impl.tracking.curves import Curve, best_of

DONE, FAILED = "done", "failed"
SETTINGS, RESULT, CONSOLE, CLAIM, SWEEP = (
    "settings.json", "result.json", "console.log", ".claim", "sweep.json")
_HASH = re.compile("[0-9a-f]{12}")
_FIELDS = {"status": text(), "exit_code": whole(-(2**31)), "error": optional(text()),
           "seconds": number(0), "steps": whole(), "metrics": object_of(list_of(number(), 3))}


@dataclass(frozen=True)
class Result:
    """How a run ended. metrics: name -> its last, lowest and highest value."""

    status: str
    exit_code: int
    error: str | None
    seconds: float
    steps: int
    metrics: dict[str, list[float]]

    def last(self, name: str) -> float | None:
        return self.metrics[name][0] if name in self.metrics else None

    def score(self, name: str, greater_is_better: bool) -> float | None:
        """The best value that the metric had; None if the run failed or did not measure it."""
        if self.status != DONE or name not in self.metrics:
            return None
        return self.metrics[name][2 if greater_is_better else 1]


def summary(curves: Mapping[str, Curve]) -> dict[str, list[float]]:
    """The metrics of a Result."""
    return {name: [[*curve.values()][-1], best_of(curve)[1], best_of(curve, True)[1]]
            for name, curve in curves.items()}


@dataclass(frozen=True)
class Claim:
    """A run that this process may work on. descriptor: of its lock, None without locks."""

    directory: Path
    descriptor: int | None

    def release(self) -> None:
        if self.descriptor is not None:
            unlock_file(self.directory / CLAIM, self.descriptor)


class Folder:
    """Runs and results by the run's name, as `refresh` found them last.

    ValueError where the folder is of another command, or a file in it is damaged.
    """

    def __init__(self, path: Path, command: str):
        self.path = path
        self.settings: dict[str, dict[str, Any]] = {}
        self.results: dict[str, Result] = {}
        path.mkdir(parents=True, exist_ok=True)
        if (path / SWEEP).exists():
            there = read_object(path / SWEEP, {"command": text()}, ["command"])["command"]
            if there != command:
                raise ValueError(f"--output_dir {path} holds a sweep of {there}, this one is of "
                                 f"{command}: name another folder")
        else:
            _write_json(path / SWEEP, {"command": command})
        self.refresh()

    def refresh(self) -> None:
        """Read what is new in the folder."""
        for directory in self.path.iterdir():
            if _HASH.fullmatch(directory.name):
                if (directory / SETTINGS).exists():
                    self._read_settings(directory.name)
                self.is_over(directory.name)

    def is_over(self, name: str) -> bool:
        """Whether the run has a result, by whichever process."""
        path = self.path / name / RESULT
        if name not in self.results and path.exists():
            self._read_settings(name)
            found = read_object(path, _FIELDS, required=[*_FIELDS])
            self.results[name] = Result(**{field: found[field] for field in _FIELDS})
        return name in self.results

    def _read_settings(self, name: str) -> None:
        if name not in self.settings:
            self.settings[name] = read_object(self.path / name / SETTINGS)

    def claim(self, name: str, settings: Mapping[str, Any]) -> Claim | None:
        """Claim a run and write its settings; None where another process has it or it is over."""
        directory = self.path / name
        directory.mkdir(exist_ok=True)
        try:
            claim = Claim(directory, lock_file(directory / CLAIM))
        except BlockingIOError:
            return None
        if self.is_over(name):  # since the caller has looked
            claim.release()
            return None
        if not (directory / SETTINGS).exists():
            _write_json(directory / SETTINGS, settings)
        self.settings[name] = dict(settings)
        return claim

    def finish(self, claim: Claim, result: Result) -> None:
        _write_json(claim.directory / RESULT, asdict(result))
        self.results[claim.directory.name] = result
        claim.release()

    def forget_failed(self) -> None:
        """Remove the results of failed runs, so that they are run again."""
        for name in [name for name, one in self.results.items() if one.status == FAILED]:
            (self.path / name / RESULT).unlink(missing_ok=True)
            del self.results[name]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process is in such a block, as while it chooses a new run."""
        path, descriptor, waits = self.path / CLAIM, None, True
        while waits:
            try:
                descriptor, waits = lock_file(path), False
            except BlockingIOError:
                time.sleep(0.1)
        try:
            yield
        finally:
            if descriptor is not None:
                unlock_file(path, descriptor)

    def ranked(self, score: str, greater_is_better: bool) -> list[str]:
        """The names of the runs that are over, the best score first, those without one last."""
        def key(name: str):
            value = self.results[name].score(score, greater_is_better)
            return (value is None, 0.0 if value is None else -value if greater_is_better else value,
                    self.results[name].status, name)
        return sorted(self.results, key=key)

    def write_tables(self, score: str, greater_is_better: bool) -> None:
        """Write sweep.csv and sweep.jsonl, each whole or not at all."""
        rows = [self._row(name, score, greater_is_better)
                for name in self.ranked(score, greater_is_better)]
        flags = sorted({flag for row in rows for flag in row["flags"]})
        head = [name for name in (rows[0] if rows else {}) if name != "flags"]
        sheet = io.StringIO()
        table = csv.writer(sheet, lineterminator="\n")
        table.writerow([*head, *(f"--{flag}" for flag in flags)])
        for row in rows:
            table.writerow([*(row[name] for name in head),
                            *(_cell(row["flags"].get(flag)) for flag in flags)])
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        for name, content in (("sweep.csv", sheet.getvalue()), ("sweep.jsonl", lines)):
            with whole_file(self.path / name) as file:
                file.write(content.encode())

    def _row(self, name: str, score: str, greater_is_better: bool) -> dict[str, Any]:
        one = self.results[name]
        return {
            "run": name, "status": one.status, "exit_code": one.exit_code, "error": one.error,
            "seconds": round(one.seconds, 1), "steps": one.steps,
            **{f"last_{metric}": one.last(metric)
               for metric in dict.fromkeys(("loss", "valid_loss", score, "lr"))},
            f"best_{score}": one.score(score, greater_is_better), "flags": self.settings[name],
        }


def clear(directory: Path) -> None:
    """Remove what the run has written, so that it can begin anew."""
    for path in _output(directory):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def has_output(directory: Path) -> bool:
    """Whether the run has written anything of its own."""
    return any(True for _ in _output(directory))


def _output(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir()
            if path.name not in (SETTINGS, RESULT, CONSOLE, CLAIM)]


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | list) else value


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(value, indent=2).encode() + b"\n")
