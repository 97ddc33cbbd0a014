"""numpy's shuffle, Megatron-LM's order and blending: against numpy, golden values and Megatron."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.index_helper import (
    _core,
    build_blending_indices,
    build_indices,
    build_sample_idx,
    shuffle,
    shuffle_idx,
)
from data_tools.index_helper.reference import build_blending_indices as specified_blend


def row(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 33, 64, 65, 623, 624, 625, 5000])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_shuffle_is_numpys_and_leaves_the_generator_where_numpy_does(size, dtype):
    ours, numpys = np.random.RandomState(size), np.random.RandomState(size)
    for random in (ours, numpys):
        random.standard_normal(3)  # one of them is kept for later; no key is fresh
    for _ in range(2):
        shuffled, expected = np.arange(size, dtype=dtype), np.arange(size, dtype=dtype)
        shuffle(shuffled, ours)
        numpys.shuffle(expected)
        assert shuffled.tolist() == expected.tolist()
    assert ours.standard_normal() == numpys.standard_normal()
    assert ours.randint(2**31) == numpys.randint(2**31)


def test_shuffling_is_upstreams_draw_for_draw():
    random = np.random.RandomState(42)
    first, last = np.arange(0, 30, dtype=np.uint32), np.arange(30, 45, dtype=np.uint32)
    random.shuffle(first)
    random.shuffle(last)
    ours = shuffle_idx(30, 45, np.random.RandomState(42))
    assert ours.tolist() == [*first, *last] and ours.dtype == np.uint32
    whole = np.arange(45, dtype=np.uint32)
    np.random.RandomState(42).shuffle(whole)
    assert shuffle_idx(45, 45, np.random.RandomState(42)).tolist() == whole.tolist()


def test_shuffle_of_a_part_leaves_the_rest():
    order = np.arange(100, dtype=np.uint32)
    shuffle(order[40:60], np.random.RandomState(0))
    assert order[:40].tolist() == list(range(40)) and order[60:].tolist() == list(range(60, 100))
    assert sorted(order[40:60].tolist()) == list(range(40, 60)) != order[40:60].tolist()


@pytest.mark.parametrize(("order", "key", "position", "message"), [
    (np.arange(8)[::2], np.zeros(624, np.uint32), 0, "one contiguous row"),
    (np.zeros((2, 2), np.int32), np.zeros(624, np.uint32), 0, "one contiguous row"),
    (np.arange(4, dtype=np.int16), np.zeros(624, np.uint32), 0, "32 or 64 bits"),
    (np.arange(4), np.zeros(623, np.uint32), 0, "those of a RandomState"),
    (np.arange(4), np.zeros(624, np.uint32), 625, "those of a RandomState"),
    (np.arange(4), np.zeros(624, np.uint32), -1, "those of a RandomState"),
])
def test_shuffle_refuses_what_it_cannot_write_safely(order, key, position, message):
    with pytest.raises(ValueError, match=message):
        _core.shuffle(order, key, position)


# From GPTDataset's _build_document_index, build_sample_idx and _build_shuffle_index as they stand
# in megatron.core 0.16.1, for the numbers of samples and the seeds below.
@pytest.mark.parametrize(
    ("sizes", "documents", "length", "num_samples", "seed", "doc_idx", "sample_idx", "order"),
    [
        ((5, 3, 7), (0, 1, 2), 4, 3, 1234, [0, 1, 2],
         [[0, 0], [0, 4], [2, 0], [2, 4]], [1, 2, 0]),
        ((5, 3, 7), (0, 1, 2), 4, 4, 1234, [0, 1, 2, 1, 2, 0],  # the last epoch by itself
         [[0, 0], [0, 4], [2, 0], [2, 4], [3, 1], [4, 2], [4, 6], [5, 3]], [2, 1, 0, 3, 5, 4, 6]),
        ((5, 3, 7), (0, 1, 2), 4, 5, 1234, [2, 1, 2, 0, 1, 0],
         [[0, 0], [0, 4], [1, 1], [2, 2], [2, 6], [3, 3], [4, 2], [5, 3]], [5, 0, 3, 4, 2, 6, 1]),
        ((5, 3, 7), (0, 1, 2), 4, 7, 1234, [2, 1, 2, 0, 1, 0],
         [[0, 0], [0, 4], [1, 1], [2, 2], [2, 6], [3, 3], [4, 2], [5, 3]], [5, 0, 3, 4, 2, 6, 1]),
        ((2, 9, 4, 1, 6, 3, 8, 5), (2, 3, 4, 5, 6, 7), 5, 13, 7,  # two epochs, then the last
         [3, 6, 4, 7, 2, 3, 7, 4, 5, 2, 5, 6, 3, 6, 7, 5, 2, 4],
         [[0, 0], [1, 4], [2, 1], [3, 0], [4, 0], [6, 0], [7, 0], [7, 5], [9, 1], [10, 2], [11, 4],
          [13, 0], [13, 5], [14, 2], [15, 2], [17, 0], [17, 5]],
         [1, 5, 6, 8, 2, 3, 9, 4, 7, 0, 12, 13, 11, 14, 10, 15]),
    ],
)
def test_megatrons_order(sizes, documents, length, num_samples, seed, doc_idx, sample_idx, order):
    found = build_indices(row(*sizes), row(*documents), length, num_samples, seed, "megatron")
    assert [array.dtype for array in found] == [np.int32, np.int32, np.uint32]
    assert [array.tolist() for array in found] == [doc_idx, sample_idx, order]


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order is 'nemo', expected one of paddlenlp megatron"):
        build_indices(row(5), row(0), 4, 1, 0, "nemo")


def test_a_blend_by_hand():
    """A quarter and three quarters: the second first; at sample 4 both have their share, a tie."""
    datasets, samples = build_blending_indices(np.array([0.25, 0.75]), 8)
    assert datasets.dtype == np.int16 and datasets.tolist() == [1, 0, 1, 1, 0, 1, 1, 1]
    assert samples.dtype == np.int64 and samples.tolist() == [0, 0, 1, 2, 1, 3, 4, 5]


@settings(max_examples=300, deadline=None)
@given(weights=st.lists(st.floats(0.001, 1000), min_size=1, max_size=6), size=st.integers(0, 120))
def test_blends_equal_the_specification_and_keep_their_weights(weights, size):
    weights = np.array(weights) / np.sum(weights)
    found, specified = build_blending_indices(weights, size), specified_blend(weights, size)
    for ours, theirs in zip(found, specified, strict=True):
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()
    for i, weight in enumerate(weights):
        own = found[1][found[0] == i]
        assert own.tolist() == list(range(len(own)))
        assert len(own) <= np.ceil(size * weight * 1.005)  # what each dataset is asked for


@pytest.mark.parametrize(("weights", "size", "message"), [
    (np.array([0.5, 0.0]), 3, r"weights\[1\] must be positive"),
    (np.array([0.5, np.nan]), 3, r"weights\[1\] must be positive"),
    (np.array([np.inf]), 3, r"weights\[0\] must be positive"),
    (np.zeros(0), 3, "1 to 32767 datasets, not 0"),
    (np.full(32768, 1.0), 3, "not 32768"),
    (np.array([0.5, 0.5], np.float32), 3, "contiguous float64"),
    (np.array([[0.5, 0.5]]), 3, "1 dimension, not 2"),
    (np.array([1.0]), -1, "must not be negative"),
])
def test_blends_that_are_refused(weights, size, message):
    with pytest.raises(ValueError, match=message):
        build_blending_indices(weights, size)


class TestAgainstMegatron:
    """Its compiled helper, where megatron-core is installed (it is no dependency of this one)."""

    @pytest.fixture
    def helper(self):
        return pytest.importorskip("megatron.core.datasets.helpers_cpp")

    def test_sample_index(self, helper):
        random = np.random.RandomState(2)
        for _ in range(200):
            sizes = random.choice([0, 1, 2, 3, 17, 120, 4000], size=50).astype(np.int32)
            epochs, length = int(random.randint(1, 4)), int(random.randint(2, 200))
            doc_idx = np.tile(np.arange(50, dtype=np.int32), epochs)
            random.shuffle(doc_idx)
            tokens = int(sizes.sum())
            theirs = helper.build_sample_idx_int32(
                sizes, doc_idx, length, epochs, tokens, True, 1
            )
            ours = build_sample_idx(sizes, doc_idx, length, epochs, tokens)
            assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()

    def test_blending(self, helper):
        random = np.random.RandomState(3)
        for datasets in (1, 2, 3, 10):
            weights = random.random_sample(datasets) + 0.01
            weights /= weights.sum()
            theirs = np.zeros(5000, np.int16), np.zeros(5000, np.int64)
            helper.build_blending_indices(*theirs, weights, datasets, 5000, False)
            for ours, their in zip(build_blending_indices(weights, 5000), theirs, strict=True):
                assert ours.tobytes() == their.tobytes()
