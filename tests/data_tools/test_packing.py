"""Packing: hand-typed tables, and every token in exactly one place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.packing import chunk_table, concat_table, pack_lengths

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
    ("total", "rows"),
    [(0, []), (3, []), (4, [[0, 4]]), (11, [[0, 4], [4, 4]]), (12, [[0, 4], [4, 4], [8, 4]])],
)
def test_concatenated_documents_are_cut_into_full_blocks(total, rows):
    table = concat_table(total, 4)
    assert table.dtype == np.int64 and table.shape == (len(rows), 2)
    assert table.tolist() == rows
    assert concat_table(3 * 2**31, 2**31)[-1].tolist() == [2**32, 2**31]


def test_short_examples_share_a_context():
    assert pack_lengths([2, 6, 5, 2, 3, 4], 8) == [[0, 1], [2, 4], [3, 5]]
    # The 1 goes where it fits best (5 4), not where it fits first (7).
    assert pack_lengths([7, 5, 4, 1], 10) == [[0], [1, 2, 3]]
    assert pack_lengths([5, 6, 2, 3], 8) == [[0, 3], [1, 2]]
    assert pack_lengths([8, 8], 8) == [[0], [1]]
    assert pack_lengths([3, 0, 3, 3, 0], 6) == [[0, 2], [3]]
    assert pack_lengths([], 8) == []


@given(LENS, CONTEXT)
def test_each_example_is_in_one_bin_that_holds_it(lens, context_length):
    bins = pack_lengths(lens, context_length, too_long="cut")
    assert sorted(d for b in bins for d in b) == [d for d, n in enumerate(lens) if n]
    used = [sum(min(lens[d], context_length) for d in b) for b in bins]
    assert all(used) and max(used, default=0) <= context_length
    # At most one bin is half empty, else two would have become one.
    assert sum(2 * u <= context_length for u in used) <= 1
    assert bins == sorted(bins) and all(b == sorted(b) for b in bins)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chunk_table([3], 0), "context_length must be positive, it is 0"),
        (lambda: chunk_table([3, -1], 4), "document 1 has the negative length -1"),
        (lambda: chunk_table([1.5], 4), "one row of integers, it is float64"),
        (lambda: chunk_table([[1]], 4), r"one row of integers, it is int64 \(1, 1\)"),
        (lambda: chunk_table([1], 4, "pad"), "tail is 'pad', expected one of keep drop"),
        (lambda: concat_table(-1, 4), "must not be negative, it is -1"),
        (lambda: concat_table(4, 0), "context_length must be positive"),
        (lambda: pack_lengths([4, 9], 8), "document 1 has 9 tokens, more than context_length 8"),
        (lambda: pack_lengths([4], 8, "drop"), "too_long is 'drop', expected one of error cut"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
