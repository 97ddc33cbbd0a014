"""Batches of instructions: examples of like length together, and rows that hold several."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paddle_impl.data.batch import Batch
from paddle_impl.finetuning.examples import ExamplesLoader

WINDOW = 50  # steps whose examples are sorted by length together


@dataclass(frozen=True)
class InstructionLoader(ExamplesLoader):
    """Also tells which labels are of a response, and the segments of packed rows: (B, T) int64.

    group_by_length: a step has examples of like length. Which examples a step has depends on the
    seed, the epoch and the size of a step alone: not on the number of processes, nor on where a run
    was resumed.
    """

    group_by_length: bool = False

    def _numbers(self, index: int) -> list[np.ndarray]:
        if not self.group_by_length:
            return super()._numbers(index)
        epoch, place = divmod(index, self.steps_per_epoch)
        size = self.accumulation_steps * self._per_pass
        if epoch not in self._orders:
            self._orders.clear()  # one epoch is kept
            self._orders[epoch] = grouped_order(self.examples.inputs, size, self.seed, epoch)
        return self._shared(self._orders[epoch][place * size : (place + 1) * size])

    @cached_property
    def _orders(self) -> dict[int, np.ndarray]:
        return {}

    def _batch(self, numbers: np.ndarray) -> Batch:
        batch = super()._batch(numbers)
        batch["responses"] = np.zeros_like(batch["labels"])
        for row, number in enumerate(numbers.tolist()):
            told = self.examples.response(number)[1:]
            batch["responses"][row, : len(told)] = told
        if hasattr(self.examples, "segments"):
            batch["segments"] = np.zeros_like(batch["labels"])
            for row, number in enumerate(numbers.tolist()):
                told = self.examples.segments(number)[:-1]
                batch["segments"][row, : len(told)] = told
        batch["responses"] &= batch["labels"] >= 0
        return batch


def grouped_order(lengths: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of all examples in which each step of `size` has examples of like length.

    The examples are shuffled; those of each WINDOW steps are sorted by length and cut into steps;
    the steps are shuffled. The last step has what is left of the first shuffling.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    whole = len(order) - len(order) % size
    steps = []
    for first in range(0, whole, WINDOW * size):
        window = order[first : min(first + WINDOW * size, whole)]
        steps += np.split(window[np.argsort(lengths[window], kind="stable")], len(window) // size)
    mixed = [steps[number] for number in rng.permutation(len(steps))]
    return np.concatenate([*mixed, order[whole:]])
