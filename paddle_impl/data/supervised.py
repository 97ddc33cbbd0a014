"""Examples of different lengths -> batches, padded on the right to the longest of each batch.

The step determines the samples of a batch, so there is no state to save. Each epoch is a
permutation of all examples by numpy's PCG64, seeded by (seed, epoch). For each micro batch of a
step, process after process takes the next `micro_batch_size` examples. The last step of an epoch
has what is left, perhaps fewer micro batches and a shorter last one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from paddle_impl.data.batch import IGNORED, Batch


class Examples(Protocol):
    def __len__(self) -> int: ...

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Example `number`: ids (n,) int64, and for each of them the label that it is, or -100 for
        one that is not to be learned. n >= 2; labels are not shifted.
        """

    def describe(self, number: int) -> str:
        """Where the example comes from, for messages."""


@dataclass(frozen=True)
class SupervisedLoader:
    """Batches for one of `world_size` processes: input_ids and labels, (B, T) int64.

    Labels are shifted here, once; those of padding are -100. Every process gets equally many micro
    batches: one for which no example is left gets a row whose label is -100, which counts nothing.

    pad_id: the token that pads rows. seed: of the order; None for the order of the examples.
    """

    examples: Examples
    micro_batch_size: int
    pad_id: int
    accumulation_steps: int = 1
    rank: int = 0
    world_size: int = 1
    seed: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in which each example is read once, the last with what is left."""
        return -(-len(self.examples) // (self.accumulation_steps * self._per_pass))

    def step(self, index: int) -> list[Batch]:
        """The micro batches of optimizer step `index`, counted from 0."""
        return [self._batch(numbers) for numbers in self._numbers(index)]

    def first(self, count: int) -> Iterator[Batch]:
        """The first `count` micro batches, or all, in the order of the examples."""
        everything = np.arange(len(self.examples))
        for numbers in self._shared(everything)[:count]:
            yield self._batch(numbers)

    def describe(self, step_index: int, micro: int = 0) -> str:
        """Where the examples of a micro batch of step `step_index`, counted from 0, come from."""
        numbers = self._numbers(step_index)[micro]
        return ", ".join(map(self.examples.describe, numbers.tolist())) or "no example"

    @property
    def _per_pass(self) -> int:
        return self.micro_batch_size * self.world_size

    def _numbers(self, index: int) -> list[np.ndarray]:
        """The examples of each micro batch of this process in optimizer step `index`."""
        epoch, place = divmod(index, self.steps_per_epoch)
        size = self.accumulation_steps * self._per_pass
        order = _order(len(self.examples), self.seed, epoch)
        return self._shared(order[place * size : (place + 1) * size])

    def _shared(self, numbers: np.ndarray) -> list[np.ndarray]:
        """This process's share of each micro batch, which may be empty in the last."""
        begin = self.rank * self.micro_batch_size
        return [numbers[first : first + self._per_pass][begin : begin + self.micro_batch_size]
                for first in range(0, len(numbers), self._per_pass)]

    def _batch(self, numbers: np.ndarray) -> Batch:
        read = [self.examples.read(number) for number in numbers.tolist()]
        width = max((len(ids) for ids, _ in read), default=2) - 1
        inputs = np.full((max(1, len(read)), width), self.pad_id, np.int64)
        labels = np.full_like(inputs, IGNORED)
        for row, (ids, own) in enumerate(read):
            inputs[row, : len(ids) - 1] = ids[:-1]
            labels[row, : len(ids) - 1] = own[1:]
        return {"input_ids": inputs, "labels": labels}


@lru_cache(maxsize=2)
def _order(size: int, seed: int | None, epoch: int) -> np.ndarray:
    """The numbers of the examples in the order of an epoch; not to be written to."""
    if seed is None:
        return np.arange(size)
    return np.random.default_rng([seed, epoch]).permutation(size)
