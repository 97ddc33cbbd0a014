"""Batches of texts with classes."""

import numpy as np
import pytest

from paddle_impl.finetuning.classes import ClassLoader


class Texts(list):
    inputs = np.array([3, 1, 4, 2, 5])

    def read(self, number):
        return np.full(self.inputs[number], 10 + number), number % 3

    def describe(self, number):
        return f"text {number}"


def loader(**more) -> ClassLoader:
    return ClassLoader(Texts(range(5)), 2, 9, **more)


def test_rows_are_padded_on_the_right_to_the_longest_and_masked():
    first, second, third = loader().first(9)
    assert first["input_ids"].tolist() == [[10, 10, 10], [11, 9, 9]]
    assert first["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert first["classes"].tolist() == [0, 1]
    assert second["input_ids"].shape == (2, 4) and third["input_ids"].shape == (1, 5)


def test_with_a_width_padding_is_seen():
    batch = next(loader(width=7).first(1))
    assert batch.keys() == {"input_ids", "classes"}
    assert batch["input_ids"].tolist()[1] == [11, *[9] * 6]


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_all_texts_and_have_equally_many_batches(processes):
    """One without a text gets a row that counts nothing."""
    shares = [loader(seed=4, rank=rank, world_size=processes) for rank in range(processes)]
    steps = [[share.step(index) for index in range(share.steps_per_epoch)] for share in shares]
    assert len({tuple(map(len, own)) for own in steps}) == 1
    found = [(own, ids[0]) for share in steps for step in share for batch in step
             for own, ids in zip(batch["classes"], batch["input_ids"], strict=True) if own >= 0]
    assert sorted(found) == sorted((number % 3, 10 + number) for number in range(5))
    assert sum(shares[0].tokens(index) for index in range(len(steps[0]))) == Texts.inputs.sum()
