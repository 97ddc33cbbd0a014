"""pass@k equals a count over every draw, and has known values in simple cases."""

from itertools import combinations

import pytest

from paddle_impl.evaluation.humaneval.pass_at_k import mean_pass_at_k, pass_at_k


@pytest.mark.parametrize(("samples", "passed"), [(5, 0), (5, 1), (5, 3), (5, 5), (6, 2)])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_it_is_the_share_of_draws_with_a_pass(samples, passed, k):
    draws = list(combinations([True] * passed + [False] * (samples - passed), k))
    assert pass_at_k(samples, passed, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_the_papers_formula_as_a_product():
    product = 1.0
    for i in range(200 - 7 + 1, 200 + 1):
        product *= 1 - 100 / i
    assert pass_at_k(200, 7, 100) == pytest.approx(1 - product, rel=1e-12)


def test_the_mean_is_over_tasks_and_of_k_that_all_allow():
    counts = {"a": (10, 10), "b": (20, 0), "c": (10, 5)}
    means = mean_pass_at_k(counts, (1, 10, 20))
    assert means == {1: pytest.approx(0.5), 10: pytest.approx(2 / 3)}


@pytest.mark.parametrize(("samples", "passed", "k"), [(5, 6, 1), (5, -1, 1), (5, 1, 6), (5, 1, 0)])
def test_what_has_no_meaning(samples, passed, k):
    with pytest.raises(ValueError, match="has no meaning"):
        pass_at_k(samples, passed, k)
