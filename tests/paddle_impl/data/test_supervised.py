"""Batches of examples: every example once an epoch, whatever the processes and micro batches."""

import math

import numpy as np
import pytest

from paddle_impl.data.batch import IGNORED
from paddle_impl.data.supervised import SupervisedLoader

PAD = 99


class Numbered:
    """Example i has i % 5 + 2 tokens, all of them i, and its first token is no label."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def read(self, number):
        ids = np.full(number % 5 + 2, number, np.int64)
        labels = ids.copy()
        labels[0] = IGNORED
        return ids, labels

    def describe(self, number):
        return f"example {number}"


def loaders(size, micro, accumulation=1, processes=1, seed=0):
    return [SupervisedLoader(Numbered(size), micro, PAD, accumulation, rank, processes, seed)
            for rank in range(processes)]


def seen(loader, step):
    """The examples of a step, in order."""
    return [row[0] for batch in loader.step(step)
            for row, labels in zip(batch["input_ids"], batch["labels"], strict=True)
            if (labels != IGNORED).any()]


@pytest.mark.parametrize(("micro", "accumulation", "processes"), [
    (1, 1, 1), (4, 1, 1), (4, 3, 1), (3, 2, 2), (2, 1, 3), (20, 4, 2)])
def test_an_epoch_has_each_example_once(micro, accumulation, processes):
    parts = loaders(23, micro, accumulation, processes)
    steps = parts[0].steps_per_epoch
    assert steps == math.ceil(23 / (micro * accumulation * processes))
    epochs = [[number for step in range(steps) for part in parts
               for number in seen(part, epoch * steps + step)] for epoch in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(23))
    assert epochs[0] != epochs[1] != epochs[2] != sorted(epochs[2])


@pytest.mark.parametrize(("micro", "accumulation", "processes"), [(6, 1, 1), (2, 3, 1), (1, 3, 2)])
def test_a_step_has_the_same_examples_however_it_is_shared(micro, accumulation, processes):
    (whole,), parts = loaders(23, 6), loaders(23, micro, accumulation, processes)
    for step in range(2 * whole.steps_per_epoch):
        assert sorted(n for part in parts for n in seen(part, step)) == sorted(seen(whole, step))


def test_all_processes_have_equally_many_micro_batches():
    parts = loaders(9, 2, 2, 2)
    for step in range(parts[0].steps_per_epoch):
        assert len({len(part.step(step)) for part in parts}) == 1
    # Of the ninth example, which is left for the second step, the second process has nothing.
    assert [len(part.step(1)) for part in parts] == [1, 1]
    (nothing,) = parts[1].step(1)
    assert nothing["labels"].tolist() == [[IGNORED]]


def test_rows_are_padded_to_the_longest_and_labels_are_the_next_tokens():
    (loader,) = loaders(5, 5, seed=None)
    (batch,) = loader.first(9)
    assert batch["input_ids"].tolist() == [
        [0, PAD, PAD, PAD, PAD], [1, 1, PAD, PAD, PAD], [2, 2, 2, PAD, PAD], [3, 3, 3, 3, PAD],
        [4, 4, 4, 4, 4]]
    labels = batch["labels"]
    assert labels.tolist() == np.where(batch["input_ids"] == PAD, IGNORED,
                                       batch["input_ids"]).tolist()
    assert batch["input_ids"].dtype == labels.dtype == np.int64


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_an_evaluation_reads_each_example_once_in_order(processes):
    parts = [list(part.first(10**9)) for part in loaders(7, 2, 5, processes)]
    assert len({*map(len, parts)}) == 1
    read = [row[0] for batches in zip(*parts, strict=True) for batch in batches
            for row, labels in zip(batch["input_ids"], batch["labels"], strict=True)
            if (labels != IGNORED).any()]
    assert read == list(range(7))


def test_other_seeds_are_other_orders():
    orders = {tuple(seen(loaders(23, 23, seed=seed)[0], 0)) for seed in range(5)}
    assert len(orders) == 5


def test_a_micro_batch_is_described():
    (loader,) = loaders(3, 2, seed=None)
    assert loader.describe(0, 0) == "example 0, example 1"
    assert loaders(3, 2, processes=2, seed=None)[1].describe(0) == "example 2"
