"""Which sample goes where: each once, whatever the split into ranks and micro batches."""

import numpy as np
import pytest

from paddle_impl.data.loader import PretrainLoader

SAMPLES = np.arange(48 * 5).reshape(48, 5)


def rows(batches):
    return [int(row[0]) // 5 for batch in batches for row in batch["input_ids"]]


def test_labels_are_the_inputs_one_later():
    batch = PretrainLoader(SAMPLES, 2, None).micro_batch(3)
    np.testing.assert_array_equal(batch["input_ids"], SAMPLES[6:8, :4])
    np.testing.assert_array_equal(batch["labels"], SAMPLES[6:8, 1:])
    assert batch["loss_mask"].all()


def test_what_follows_an_end_token_is_not_predicted():
    batch = PretrainLoader(np.array([[7, 0, 3, 0, 9]]), 1, eos_token_id=0).micro_batch(0)
    np.testing.assert_array_equal(batch["loss_mask"], [[1, 0, 1, 0]])
    np.testing.assert_array_equal(batch["labels"], [[0, 3, 0, 9]])


@pytest.mark.parametrize(
    ("micro", "accumulation", "world"), [(4, 1, 1), (1, 4, 1), (2, 1, 2), (1, 2, 2)]
)
def test_a_step_sees_the_same_samples_however_it_is_cut(micro, accumulation, world):
    for step in range(12):
        seen = []
        for rank in range(world):
            loader = PretrainLoader(SAMPLES, micro, None, accumulation, rank, world)
            assert len(loader.step(step)) == accumulation
            seen += rows(loader.step(step))
        assert sorted(seen) == list(range(4 * step, 4 * step + 4))


def test_ranks_take_blocks_as_paddles_sampler_does():
    first, second = (PretrainLoader(SAMPLES, 3, None, 1, rank, 2) for rank in (0, 1))
    assert rows(first.step(1)) == [6, 7, 8]
    assert rows(second.step(1)) == [9, 10, 11]


def test_evaluation_takes_what_is_there_and_no_more():
    assert len(list(PretrainLoader(SAMPLES, 10, None).first(3))) == 3
    assert len(list(PretrainLoader(SAMPLES, 10, None).first(100))) == 4
    assert list(PretrainLoader(SAMPLES[:3], 2, None, 1, 0, 2).first(1)) == []
