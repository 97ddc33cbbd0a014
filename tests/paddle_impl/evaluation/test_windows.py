"""A long text as windows: each target is counted once, in the first window that contains it."""

import numpy as np
import pytest

from paddle_impl.evaluation.windows import strided, windows


@pytest.mark.parametrize("stride", [1, 3, 5, 8])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 30])
def test_every_target_is_counted_once_with_enough_context(length, stride):
    counted = []
    for start, end, first in windows(length, 8, stride):
        assert 0 <= start <= first < end <= length and end - start <= 8
        assert start == 0 or first - start >= 8 - stride
        counted += range(first, end)
    assert counted == list(range(length))


def test_rows_by_hand():
    rows = strided(np.arange(10, 19, dtype=np.uint16), 4, 3)
    assert [(row.inputs.tolist(), row.targets.tolist()) for row in rows] == [
        ([10, 11, 12, 13], [11, 12, 13, 14]),
        ([13, 14, 15, 16], [15, 16, 17]),
        ([14, 15, 16, 17], [18]),
    ]
    assert {array.dtype for row in rows for array in (row.inputs, row.targets)} == {np.dtype("i8")}


@pytest.mark.parametrize("sequence", [[], [3]])
def test_a_single_token_predicts_nothing(sequence):
    assert strided(np.array(sequence, int), 4, 3) == []
