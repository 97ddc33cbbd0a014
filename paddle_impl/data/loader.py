"""Samples -> batches. The step determines the samples of a batch, so there is no state to save.

The order is that of Paddle's DistributedBatchSampler: for each micro batch of each step, process
after process takes the next `micro_batch_size` samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.data.origin import described


class DamagedData(ValueError):
    """A batch holds ids outside the model's vocabulary."""


@dataclass(frozen=True)
class PretrainLoader:
    """Batches of `dataset` for one of `world_size` processes: input_ids and labels, (B, T) int64.

    Labels are shifted here, once. A label is -100, which the loss ignores, if it is padding or if
    its *input* is `eos_token_id`: the next document cannot be predicted from the end of one.

    dataset: an object with a length, seq_length (T) and read(i, out), which writes sample i to a
    row (T + 1,) and returns the number of its tokens before padding; or an array of all samples
    (samples, T + 1).
    vocab_size: the model's; DamagedData, a ValueError, for a batch with other ids. For a negative
    id Paddle's embedding would silently read memory outside its table. None does not check.
    """

    dataset: object
    micro_batch_size: int
    eos_token_id: int | None
    accumulation_steps: int = 1
    rank: int = 0
    world_size: int = 1
    vocab_size: int | None = None

    def step(self, index: int) -> list[Batch]:
        """The micro batches of optimizer step `index`, counted from 0."""
        return [self.micro_batch(index * self.accumulation_steps + i)
                for i in range(self.accumulation_steps)]

    def first(self, count: int) -> Iterator[Batch]:
        """The first `count` micro batches, or as many as the dataset fills for every process."""
        per_pass = self.micro_batch_size * self.world_size
        for index in range(min(count, len(self.dataset) // per_pass)):
            yield self.micro_batch(index)

    def items(self, index: int) -> range:
        """The samples of this process's micro batch `index`, counted over all steps from 0."""
        start = (index * self.world_size + self.rank) * self.micro_batch_size
        return range(start, start + self.micro_batch_size)

    def micro_batch(self, index: int) -> Batch:
        samples, own = read_rows(self.dataset, self.items(index))
        self._check_ids(samples, index)
        inputs, labels = samples[:, :-1], samples[:, 1:].copy()
        if self.eos_token_id is not None:
            labels[inputs == self.eos_token_id] = IGNORED
        if min(own) < samples.shape[1]:
            labels[np.arange(1, samples.shape[1]) >= np.array(own)[:, None]] = IGNORED
        return {"input_ids": inputs, "labels": labels}

    def describe(self, step_index: int, micro: int = 0) -> str:
        """Samples and documents of a micro batch of optimizer step `step_index`, counted from 0.

        A phrase for messages, such as: samples 8 to 9 (documents 3, 5-6 of data/code).
        """
        index = step_index * self.accumulation_steps + micro
        return described(self.dataset, self.items(index))

    def _check_ids(self, samples: np.ndarray, index: int) -> None:
        size = self.vocab_size
        if size is None or (samples.min() >= 0 and samples.max() < size):
            return
        row, column = np.argwhere((samples < 0) | (samples >= size))[0].tolist()
        sample = self.items(index)[row]
        raise DamagedData(
            f"token {column} of {described(self.dataset, range(sample, sample + 1))} is id "
            f"{samples[row, column]}, the model's vocabulary is 0 to {size - 1}: the data are "
            "damaged or of another model, python -m data_tools.inspect --verify names the place"
        )


def read_rows(dataset, items: range) -> tuple[np.ndarray, list[int]]:
    """The samples as rows (B, T + 1) int64, and the number of tokens before padding in each."""
    if isinstance(dataset, np.ndarray):
        return dataset[items], [dataset.shape[1]] * len(items)
    rows = np.empty((len(items), dataset.seq_length + 1), np.int64)
    return rows, [dataset.read(item, row) for item, row in zip(items, rows, strict=True)]
