"""Windows of a file, and what is drawn for dev."""

import numpy as np
import pytest

from data_tools.completion.windows import count, dev_files, dev_windows, windows


def test_windows_by_hand():
    assert windows(10, 10, 3, 2) == [(0, 10)]
    assert windows(11, 10, 3, 2) == [(0, 10), (3, 11)]
    assert windows(17, 10, 3, 2) == [(0, 10), (3, 13), (6, 16), (9, 17)]
    assert windows(4, 10, 3, 8) == [(0, 4)]  # shorter than the stride, and not lost
    assert windows(21, 10, 10, 1) == [(0, 10), (10, 20), (20, 21)]
    assert windows(21, 10, 10, 99) == [(0, 10), (10, 20), (11, 21)]
    assert windows(21, 10, 10, 6) == [(0, 10), (10, 20), (15, 21)]


@pytest.mark.parametrize("stride", [1, 3, 7, 16])
@pytest.mark.parametrize("least", [1, 5, 16])
def test_every_token_is_in_a_window_and_none_is_short(stride, least):
    for length in range(1, 90):
        found = windows(length, 16, stride, least)
        assert len(found) == count(length, 16, stride)
        covered = np.zeros(length, dtype=int)
        for start, stop in found:
            covered[start:stop] += 1
            assert min(least, length) <= stop - start <= 16
        assert covered.min() >= 1 and found[-1][1] == length
        assert [start for start, _ in found[:-1]] == [i * stride for i in range(len(found) - 1)]


def test_dev_files_are_a_share_of_the_texts_whatever_their_order():
    keys = np.random.default_rng(1).integers(0, 2**63, 200).astype(np.uint64)
    chosen = dev_files(keys, 0.1)
    assert chosen.sum() == 20
    order = np.random.default_rng(2).permutation(200)
    assert set(keys[order][dev_files(keys[order], 0.1)]) == set(keys[chosen])


def test_equal_files_are_on_the_same_side():
    keys = np.repeat(np.arange(10, dtype=np.uint64), 7)
    chosen = dev_files(keys, 0.2)
    assert set(keys[chosen]) & set(keys[~chosen]) == set() and chosen.sum() == 14


@pytest.mark.parametrize(("files", "share", "dev"), [
    (1, 0.5, 0), (2, 0.01, 1), (2, 0.99, 1), (3, 0.1, 1), (30, 0.1, 3)])
def test_both_sides_get_something(files, share, dev):
    assert dev_files(np.arange(files, dtype=np.uint64), share).sum() == dev
    assert dev_windows(files, share, np.random.default_rng(0)).sum() == dev


def test_dev_windows_are_drawn_by_the_seed():
    drawn = [dev_windows(100, 0.3, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and sum(drawn[0]) == 30
