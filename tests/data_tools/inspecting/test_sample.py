"""The documents of a split, as PaddleNLP's rounding has them."""

import pytest

from data_tools.inspecting.sample import bounds_of


@pytest.mark.parametrize(
    ("split", "documents", "bounds"),
    [
        ("949,50,1", 1000, [0, 949, 999, 1000]),
        ("949,50,1", 100, [0, 95, 100, 100]),
        ("949,50,1", 10, [0, 10, 10, 10]),
        ("900/50/50", 30, [0, 26, 28, 30]),
        ("1", 7, [0, 7, 7, 7]),
    ],
)
def test_splits_are_paddlenlps(split, documents, bounds):
    assert bounds_of(split, documents) == bounds
