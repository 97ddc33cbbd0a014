"""Several examples in one row, so that rows have hardly any padding."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np

from data_tools.instructions.examples import IGNORED, InstructionExamples


class PackedRows:
    """Rows of at most `capacity` tokens as the examples of a loader, each example whole in one.

    A model sees an example of a row as if it were alone, by the row's segments; its first token is
    the label of nothing.
    """

    def __init__(self, examples: InstructionExamples, capacity: int):
        self.examples = examples
        self.rows = pack(examples.lengths.tolist(), capacity)
        lengths = [sum(examples.lengths[number] for number in row) for row in self.rows]
        self.lengths = np.array(lengths, np.int64)
        self.sha256 = hashlib.sha256(f"{examples.sha256} {self.rows}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> np.ndarray:
        """int64 (rows,): how many tokens the model is given of each."""
        return self.lengths - 1

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """ids (n,) int64, and the label that each of them is, or -100."""
        pairs = [self.examples.read(one) for one in self.rows[number]]
        ids, labels = (np.concatenate(values) for values in zip(*pairs, strict=True))
        labels[np.flatnonzero(np.diff(self.segments(number))) + 1] = IGNORED
        return ids, labels

    def response(self, number: int) -> np.ndarray:
        """(n,) bool: the tokens of responses."""
        return np.concatenate([self.examples.response(one) for one in self.rows[number]])

    def segments(self, number: int) -> np.ndarray:
        """(n,) int64: the example that each token is of, counted from 1 in the row."""
        row = self.rows[number]
        return np.repeat(np.arange(1, len(row) + 1), self.examples.lengths[row])

    def describe(self, number: int) -> str:
        return ", ".join(map(self.examples.describe, self.rows[number]))


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """The numbers of the examples in each row: the longest first, each into the fullest row that
    has room for it (best fit decreasing). ValueError for a length above the capacity.
    """
    if lengths and max(lengths) > capacity:
        raise ValueError(f"an example of {max(lengths)} tokens does not fit a row of {capacity}")
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (room, row), ascending
    for number in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        place = bisect_left(free, (lengths[number], -1))
        room, row = free.pop(place) if place < len(free) else (capacity, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(number)
        insort(free, (room - lengths[number], row))
    return rows
