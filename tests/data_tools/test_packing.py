"""Packing: tables typed by hand, and every token in exactly one block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.packing import chunk_table

LENS = st.lists(st.integers(0, 40), max_size=60)
CONTEXT = st.integers(1, 17)


def test_the_seeds_example():
    table = chunk_table(np.array([2524, 1631, 615], np.int32), 1024)
    assert table.dtype == np.int64
    assert table[:, 2].tolist() == [1024, 1024, 476, 1024, 607, 615]
    assert table[:, 0].tolist() == [0, 0, 0, 1, 1, 2]
    assert table[:, 1].tolist() == [0, 1024, 2048, 0, 1024, 0]


def test_tails_are_kept_or_dropped():
    lens = [0, 3, 7, 8, 2, 0]
    assert chunk_table(lens, 4).tolist() == [
        [1, 0, 3],
        [2, 0, 4],
        [2, 4, 3],
        [3, 0, 4],
        [3, 4, 4],
        [4, 0, 2],
    ]
    assert chunk_table(lens, 4, "drop").tolist() == [[2, 0, 4], [3, 0, 4], [3, 4, 4]]
    for nothing in ([], [0, 0]):
        assert chunk_table(nothing, 4).shape == (0, 3)
        assert chunk_table(nothing, 4, "drop").shape == (0, 3)


@given(LENS, CONTEXT)
def test_each_token_is_in_one_chunk(lens, context_length):
    kept = chunk_table(lens, context_length)
    tokens = [(d, s + i) for d, s, n in kept.tolist() for i in range(n)]
    assert tokens == [(d, i) for d, n in enumerate(lens) for i in range(n)]
    full = kept[kept[:, 2] == context_length]
    assert chunk_table(lens, context_length, "drop").tolist() == full.tolist()
    assert (kept[:, 1] % context_length == 0).all() and (kept[:, 2] <= context_length).all()


def test_a_table_past_two_to_the_31_tokens():
    table = chunk_table(np.array([2**31 - 1], np.int32), 2**20)
    assert len(table) == 2048
    assert table[-1].tolist() == [0, 2047 * 2**20, 2**20 - 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chunk_table([3], 0), "context_length must be positive, it is 0"),
        (lambda: chunk_table([3, -1], 4), "document 1 has the negative length -1"),
        (lambda: chunk_table([1.5], 4), "one row of integers, it is float64"),
        (lambda: chunk_table([[1]], 4), r"one row of integers, it is int64 \(1, 1\)"),
        (lambda: chunk_table([1], 4, "pad"), "tail is 'pad', expected one of keep drop"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
