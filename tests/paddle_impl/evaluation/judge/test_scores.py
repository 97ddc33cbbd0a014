"""Which replies of a judge are scores; the mean of scores and its interval."""

import math

import pytest

from paddle_impl.evaluation.judge.scores import interval_of, mean_of, score_of

SCORES = {
    85: ["85", " 85\n", '"85"', "**85**", "`85`", "85.", "+85", "085", "**85.**", "“85”",
         "85/100", "85 / 100", "**85**/100", "85/100.", "85 out of 100",
         "Score: 85", "score:85", "SCORE : 85/100", "**Score:** 85", "**Score**: 85/100",
         "Score: **85/100**", "Score:\n\n85.", "Score: 85, because it is fine", "Score: 85!",
         '{"score": 85}', '{"final_score": "85", "why": "-"}', "Score: 85 (out of 100)",
         "Score: 85 out of 100", "Score：85", "It is good.\n\nMy score: 85 - good",
         "Score: 20 for style\nFinal score: 85", "Score: 900\nI mean: score: 85",
         "Score: 85. A 100/100 answer names him.", "I'd give it 85/100.", "**85**/100, a good one",
         "85/100 it is, 85/100!", "<think>\nscore: 3? 7/100?\n</think>\n\n85"],
    0: ["0", "0/100", "score: 0"], 100: ["100", "100/100", "score: 100"],
}
NONE = {
    "is no integer": ["8.5", "-3", "1e124", "1e2", "85%", "8,5", "1,000", "85-90", "0x55", "-3/100",
                      "8.5/100", "−3", "Score: 8.5", "Score: -3", "Score: 1e1", "Score: 85%",
                      "I say -3/100", "1.85/100 of it"],
    "lies outside": ["900", "101", "900/100", "Score: 900", "score: 85\nscore: 900",
                     "it gets 101/100", "9" * 5000, "0" * 5000],
    "another scale": ["8/10", "8 out of 10", "85/1000", "Score: 8/10", "Score: 8 out of 10",
                      "4/5.", "85/100/2", "8/100.5"],
    "is a range": ["Score: 85 - 90", "score: 85 to 90", "score: 85 or 90"],
    "several numbers": ["between 85/100 and 90/100"],
    "is empty": ["", " \n", "<think>85</think>"],
    "neither": ["5 reasons ... 90", "I cannot score this.", "85 90", "85 or 90", "The score is 85",
                "Score: high", "score 85", "85 points", "٨٥", "NaN", "None", "subscore: 85",
                "Rating: 85", "x-3/100", "<think>score: 85</think> I cannot say"],
}


@pytest.mark.parametrize(("score", "reply"),
                         [(score, one) for score, found in SCORES.items() for one in found])
def test_a_reply_that_is_a_score(score, reply):
    assert score_of(reply) == score


@pytest.mark.parametrize(("why", "reply"), [(why, one) for why, found in NONE.items()
                                            for one in found], ids=lambda value: value[:20])
def test_a_reply_that_is_none(why, reply):
    with pytest.raises(ValueError, match=why) as refused:
        score_of(reply)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("number", range(101))
def test_each_score_in_each_form(number):
    for form in ("{}", "{}/100", "Score: {}", "score: {}/100", "a 3 and then {}/100"):
        assert score_of(form.format(number)) == number


def test_the_mean():
    assert mean_of([85, 0, 100]) == 185 / 3
    assert mean_of([7]) == 7.0


def quantile(share: float, n: int, p: float) -> int:
    """The smallest k with P(binomial(n, p) <= k) >= share."""
    total = 0.0
    for k in range(n + 1):
        total += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        if total >= share:
            return k
    return n


@pytest.mark.parametrize(("right", "n"), [(30, 100), (5, 20), (110, 200)])
def test_the_interval_of_two_values_is_that_of_the_binomial_distribution(right, n):
    """Means of samples with replacement of 0 and 100 are binomial, and their steps 100 / n."""
    low, high = interval_of([100] * right + [0] * (n - right), seed=7)
    for found, share in ((low, 0.025), (high, 0.975)):
        assert abs(found - 100 * quantile(share, n, right / n) / n) <= 100 / n + 1e-9
    assert interval_of([100] * right + [0] * (n - right), seed=7) == (low, high)


def test_the_interval_stays_within_the_scores():
    low, high = interval_of([100, 100, 99], seed=0)
    assert 99 <= low < high <= 100
    assert interval_of([50, 50], seed=0) == (50.0, 50.0)
    assert interval_of([50], seed=0) is interval_of([], seed=0) is None


def test_many_scores_take_little_memory():
    low, high = interval_of([0, 100] * 50_000, seed=1)  # 8 GB at once
    assert 49 < low < 50 < high < 51
