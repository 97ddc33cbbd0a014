"""Logits filters and the draw, on rows small enough to check by hand."""

import numpy as np
import pytest

from paddle_impl.decoding.sampling import (
    choose,
    log_softmax,
    probabilities,
    top_k,
    top_p,
)

ROW = np.array([[0.1, 0.4, 0.2, 0.3]])


def test_log_softmax_survives_large_logits():
    result = log_softmax(np.array([[1000.0, 1000.0]], np.float32))
    np.testing.assert_allclose(result, np.log([[0.5, 0.5]]), rtol=1e-15)


@pytest.mark.parametrize(
    ("k", "kept"), [(0, [0, 1, 2, 3]), (1, [1]), (2, [1, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k(k, kept):
    assert np.flatnonzero(top_k(ROW, k)).tolist() == kept


def test_top_k_keeps_ties_with_the_last():
    assert np.flatnonzero(top_k(np.array([[0.2, 0.3, 0.2, 0.1, 0.2]]), 2)).tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize(("p", "kept"), [
    (0.01, [1]), (0.39, [1]), (0.41, [1, 3]), (0.69, [1, 3]), (0.71, [1, 2, 3]),
    (1.0, [0, 1, 2, 3]),
])
def test_top_p_keeps_the_token_that_crosses(p, kept):
    assert np.flatnonzero(top_p(ROW, p)).tolist() == kept


def test_top_p_counts_shares_of_what_top_k_left():
    assert np.flatnonzero(top_p(top_k(ROW, 2), 0.5)).tolist() == [1]  # 0.4 of 0.7 is above a half
    assert np.flatnonzero(top_p(top_k(ROW, 2), 0.6)).tolist() == [1, 3]


def test_filters_leave_their_argument_alone():
    row = ROW.copy()
    top_k(row, 1), top_p(row, 0.1)
    np.testing.assert_array_equal(row, ROW)


@pytest.mark.parametrize(("draw", "token"), [
    (0.0, 0), (0.0999, 0), (0.1001, 1), (0.4999, 1), (0.5001, 2), (0.7001, 3), (0.999999, 3),
])
def test_the_draw_picks_by_cumulative_share(draw, token):
    assert choose(ROW, np.array([draw])).tolist() == [token]


def test_a_token_without_probability_is_never_chosen():
    row = np.array([[0.0, 0.5, 0.0, 0.5, 0.0]])
    draws = np.concatenate([[0.0, np.nextafter(1.0, 0.0)], np.linspace(0, 1, 1001)[:-1]])
    assert set(choose(np.repeat(row, len(draws), 0), draws).tolist()) == {1, 3}


def test_frequencies_follow_the_temperature():
    logits = np.log(ROW)
    draws = np.random.default_rng(0).random(200_000)
    kept = probabilities(logits, temperature=0.5, k=3, p=1.0)
    tokens = choose(np.repeat(kept, len(draws), 0), draws)
    expected = ROW[0] ** 2 * (ROW[0] > 0.1)
    frequencies = np.bincount(tokens, minlength=4) / len(draws)
    np.testing.assert_allclose(frequencies, expected / expected.sum(), atol=5e-3)


def test_the_same_draws_give_the_same_tokens():
    logits = np.random.default_rng(1).standard_normal((5, 100)).astype(np.float32)
    draws = np.random.default_rng(2).random(5)
    options = {"temperature": 0.7, "k": 20, "p": 0.9}
    kept = probabilities(logits, **options)
    tokens = choose(kept, draws)
    np.testing.assert_array_equal(choose(kept, draws), tokens)
    moved = choose(kept, np.roll(draws, 1))
    alone = choose(probabilities(logits[1:], **options), draws[:-1])
    np.testing.assert_array_equal(moved[1:], alone)
