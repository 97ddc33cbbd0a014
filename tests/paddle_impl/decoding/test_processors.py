"""Penalties and bans, on rows small enough to check by hand."""

import numpy as np
import pytest

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.processors import process, repeating, repetition_penalty

SCORES = np.array([[1.0, -2.0, 0.0, 4.0, 3.0], [1.0, -2.0, 0.0, 4.0, 3.0]])
BANNED = -np.inf


def test_a_repeated_token_costs_whatever_its_sign():
    found = repetition_penalty(SCORES, [[0, 1, 1], [3, 2]], 2.0)
    np.testing.assert_array_equal(found, [[0.5, -4.0, 0.0, 4.0, 3.0], [1.0, -2.0, 0.0, 2.0, 3.0]])


@pytest.mark.parametrize(("history", "size", "expected"), [
    ([1, 2, 3, 1, 2], 3, [3]), ([1, 2, 3, 1, 2, 4, 1, 2], 3, [3, 4]), ([1, 2, 3], 3, []),
    ([1, 2], 3, []), ([], 3, []), ([1, 2, 1], 2, [2]), ([1, 1], 2, [1]), ([1], 2, []),
    ([4, 2, 4], 1, [2, 4]), ([], 1, []), ([1, 2, 9, 9, 1, 2], 4, []),
])
def test_tokens_that_would_repeat_an_ngram(history, size, expected):
    assert repeating(history, size) == expected


def test_each_row_has_a_history_of_its_own():
    found = process(SCORES, [[1, 3, 1], [2, 2]], 3, Decoding(9, no_repeat_ngram_size=2))
    assert np.argwhere(np.isinf(found)).tolist() == [[0, 3], [1, 2]]


@pytest.mark.parametrize(("new", "banned"), [(0, [1, 4]), (2, [1, 4]), (3, [])])
def test_end_tokens_wait_for_the_minimum(new, banned):
    decoding = Decoding(9, min_new_tokens=3, eos_token_ids=(1, 4))
    found = process(SCORES[:1], [[0]], new, decoding)
    assert np.flatnonzero(np.isinf(found[0])).tolist() == banned


def test_the_padding_of_the_vocabulary_is_banned():
    found = process(SCORES[:1], [[0]], 0, Decoding(9, vocab_size=3))
    np.testing.assert_array_equal(found, [[1.0, -2.0, 0.0, BANNED, BANNED]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_keep_their_type_and_the_argument_its_values(dtype):
    decoding = Decoding(9, repetition_penalty=2.0, no_repeat_ngram_size=1, min_new_tokens=1,
                        eos_token_ids=(2,), vocab_size=4)
    given = SCORES.astype(dtype)
    found = process(given, [[0], [1]], 0, decoding)
    assert found.dtype == dtype and found is not given
    np.testing.assert_array_equal(given, SCORES)
    np.testing.assert_array_equal(
        found, [[BANNED, -2.0, BANNED, 4.0, BANNED], [1.0, BANNED, BANNED, 4.0, BANNED]])
