"""Cuts gaps into the canonical solutions of tasks in HumanEval's format."""

import re
from itertools import accumulate, combinations
from typing import NamedTuple

import numpy as np

from paddle_impl.evaluation.humaneval.tasks import Sample, Task

KINDS = ("single_line", "multi_line", "random_span")
_TRIES = 20  # draws for each random span; a short solution has few different ones


class Gap(NamedTuple):
    """prefix + middle + suffix is the program: the task's prompt and its canonical solution."""

    task: Task
    kind: str
    prefix: str
    middle: str
    suffix: str

    def filled(self, answer: str) -> Sample:
        """The program with another middle, as a completion of the task's prompt."""
        return Sample(self.task.task_id,
                      self.prefix[len(self.task.prompt):] + answer + self.suffix)


def gaps(task: Task, seed: int, spans: int) -> list[Gap]:
    """The gaps of one task: each line that is not blank, and at most `spans` of either other kind.

    Several lines begin and end with one that is not blank. The ends of random spans are drawn
    evenly over the characters, as in training. No middle is blank. The draws depend on seed,
    task_id and kind only. ValueError where the task has no canonical solution.
    """
    if not task.canonical_solution.strip():
        raise ValueError(f"{task.task_id} has no canonical_solution, from which gaps are cut")
    places = {
        "single_line": _lines(task.canonical_solution, 1),
        "multi_line": _some(_lines(task.canonical_solution, 2),
                            spans, _draws(task, seed, "multi_line")),
        "random_span": _random(task.canonical_solution, spans, _draws(task, seed, "random_span")),
    }
    return [_gap(task, kind, *place) for kind in KINDS for place in places[kind]]


def lines(text: str) -> list[str]:
    """The lines with their ends. Not splitlines, which also splits at form feeds and the like."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _draws(task: Task, seed: int, kind: str) -> np.random.Generator:
    return np.random.default_rng([seed, task.key, KINDS.index(kind)])


def _gap(task: Task, kind: str, start: int, stop: int) -> Gap:
    text = task.canonical_solution
    return Gap(task, kind, task.prompt + text[:start], text[start:stop], text[stop:])


def _lines(text: str, least: int) -> list[tuple[int, int]]:
    """(start, stop) of one line, or of all spans of `least` lines and more."""
    found = lines(text)
    ends = [0, *accumulate(map(len, found))]
    full = [number for number, line in enumerate(found) if line.strip()]
    pairs = zip(full, full, strict=True) if least == 1 else combinations(full, 2)
    return [(ends[first], ends[last + 1]) for first, last in pairs]


def _some(places: list, spans: int, draws: np.random.Generator) -> list:
    chosen = draws.permutation(len(places))[:spans]
    return [places[number] for number in sorted(chosen.tolist())]


def _random(text: str, spans: int, draws: np.random.Generator) -> list[tuple[int, int]]:
    found: dict[tuple[int, int], None] = {}
    for _ in range(_TRIES * spans):
        start, stop = sorted(draws.integers(0, len(text), size=2, endpoint=True).tolist())
        if text[start:stop].strip():
            found[start, stop] = None
        if len(found) == spans:
            break
    return sorted(found)
