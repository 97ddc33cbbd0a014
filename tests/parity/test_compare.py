"""The comparison fails, at the right place, where a lenient comparison would pass."""

import math

import numpy as np
import pytest

from parity.compare import Place, Point, compare, first_divergence, rms, worst
from parity.tolerances import EPS32, Rule, Tolerance
from parity.tolerances import row as fixture_row
from parity.tolerances.checkpoint import row as checkpoint_row

PLACE = Place("gradients", "hand made", "A")
B = PLACE._replace(gate="B")
LN, SQUARE, LOGITS = (
    Point(0, "gradient", "ln_f.weight"), Point(0, "gradient", "c_proj.weight"),
    Point(0, "logits", "logits"),
)


def trace():
    """A vector, a square matrix and logits (rows, vocabulary), in that order."""
    rng = np.random.default_rng(0)
    return {LN: rng.normal(size=8), SQUARE: rng.normal(size=(6, 6)),
            LOGITS: rng.normal(size=(4, 10))}


def failures(results):
    return [result.point for result in results if not result.passed]


def test_equal_traces_pass():
    results = compare(PLACE, trace(), trace())
    assert [result.point for result in results] == [LN, SQUARE, LOGITS]
    assert failures(results) == []


@pytest.mark.parametrize(
    ("point", "damage"),
    [
        (LN, np.negative),
        (LN, np.zeros_like),
        (LN, lambda a: a * (1 + 1e-9)),
        (SQUARE, np.transpose),
        (LOGITS, lambda a: np.roll(a, 1, axis=0)),
        (LOGITS, lambda a: a[:, ::-1]),
        (LOGITS, lambda a: a[:1]),
        (LOGITS, lambda a: a.astype(np.float32)),
        (LOGITS, lambda a: a[None]),
    ],
    ids="sign zeros scale transposed rolled reversed broadcast dtype rank".split(),
)
def test_damage_is_found_where_it_is(point, damage):
    got = trace()
    got[point] = damage(got[point])
    assert failures(compare(PLACE, trace(), got)) == [point]


def test_one_wrong_element_is_located_with_both_values():
    got = trace()
    got[SQUARE][2, 3] += 1e-3
    diverged, good = first_divergence(compare(PLACE, trace(), got))
    assert (diverged.point, diverged.index) == (SQUARE, (2, 3))
    assert diverged.got - diverged.expected == pytest.approx(1e-3)
    assert good.point == LN
    assert "c_proj.weight, index [2, 3]: expected" in diverged.describe()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["reference", "got", "both"])
def test_a_non_finite_value_on_either_side_fails(bad, side):
    reference, got = trace(), trace()
    for name, values in (("reference", reference), ("got", got)):
        if side in (name, "both"):
            values[LN][5] = bad
    results = compare(PLACE, reference, got)
    assert failures(results) == [LN]
    assert "index [5]" in results[0].describe()


def test_missing_and_extra_tensors_fail():
    missing, extra = trace(), trace()
    del missing[SQUARE]
    extra[Point(0, "gradient", "lm_head.weight")] = np.ones(3)
    assert failures(compare(PLACE, trace(), missing)) == [SQUARE]
    assert failures(compare(PLACE, trace(), extra)) == [Point(0, "gradient", "lm_head.weight")]


def test_a_reference_of_zeros_fails_even_against_zeros():
    zeros = {LN: np.zeros(8)}
    assert "zero throughout" in compare(PLACE, zeros, zeros)[0].note


@pytest.mark.parametrize("nothing", [{}, {LN: np.zeros((0, 4))}])
def test_comparing_nothing_fails(nothing):
    assert failures(compare(PLACE, nothing, nothing))


def test_a_phase_without_a_tolerance_is_an_error():
    unknown = {Point(0, "unheard of", "x"): np.ones(2)}
    with pytest.raises(KeyError):
        compare(PLACE, unknown, unknown)


def test_exact_sees_the_sign_of_zero():
    key = Point(0, "state dict", "w")
    place = PLACE._replace(gate="D")
    assert failures(compare(place, {key: np.array([0.0, 1.0])}, {key: np.array([-0.0, 1.0])}))


def float32_traces(torch_noise: float, paddle_noise: float):
    """truth, reference and got, with errors of these sizes in eps32 of the truth's rms."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=1000)
    noise = rng.normal(size=1000) * 2.0**-23
    return {LN: truth}, {LN: truth + torch_noise * noise}, {LN: truth + paddle_noise * noise}


@pytest.mark.parametrize(
    ("torch_noise", "paddle_noise", "passes"),
    [(2, 2, True), (2, 5.9, True), (2, 6.1, False), (0.15, 0.7, True), (0.15, 0.8, False),
     (41, 41, False), (0.05, 0.05, False), (0, 0, False)],
)
def test_the_budget_is_three_times_the_references_own_error(torch_noise, paddle_noise, passes):
    truth, reference, got = float32_traces(torch_noise, paddle_noise)
    assert (failures(compare(B, reference, got, truth)) == []) is passes


def test_a_users_weights_may_be_ill_conditioned_and_still_have_a_budget():
    for paddle_noise, passes in ((41, True), (240, True), (250, False)):
        truth, reference, got = float32_traces(41, paddle_noise)
        results = compare(B, reference, got, truth, checkpoint_row)
        assert (failures(results) == []) is passes


def test_a_users_weights_may_be_zero_and_their_gradients_may_not():
    for gate, phase, passes in (("D", "state dict", True), ("A", "gradient", False)):
        zeros = {Point(0, phase, "b"): np.zeros(4)}
        results = compare(PLACE._replace(gate=gate), zeros, zeros, row=checkpoint_row)
        assert results[0].passed is passes


@pytest.mark.parametrize(("loss", "fixtures", "users"), [(5.0, True, True), (0.2, False, True)])
def test_a_users_loss_may_be_small_beside_the_logits_it_is_made_of(loss, fixtures, users):
    point = Point(0, "loss", "loss")
    truth, got = {point: np.asarray(loss)}, {point: np.asarray(loss + 1.6 * EPS32)}
    for row, passes in ((fixture_row, fixtures), (checkpoint_row, users)):
        assert compare(B, truth, got, truth, row)[0].passed is passes


def test_one_outlier_in_float32_fails_though_the_rms_hides_it():
    truth, reference, got = float32_traces(2, 2)
    got[LN][7] += 60 * 2.0**-23
    (result,) = compare(B, reference, got, truth)
    assert not result.passed
    assert result.index == (7,)


def test_bulk_forgives_the_few_and_not_the_many():
    def verdict(count):
        truth, reference, got = float32_traces(2, 2)
        got[LN][:count] += 1e-3
        row = Tolerance(Rule.BULK, "test", k=6.0)
        return compare(B, reference, got, truth, row=lambda *_: row)[0].passed

    assert verdict(40)
    assert not verdict(60)


def test_a_curve_is_judged_by_the_noise_of_the_whole_run():
    steps = [Point(step, "loss curve", "loss") for step in range(1, 5)]
    truth = {point: np.asarray(4.0) for point in steps}
    reference = {**truth, steps[0]: np.asarray(4.0 + 0.5e-5)}

    def passed(error):
        got = {**truth, steps[2]: np.asarray(4.0 + error)}
        return failures(compare(B, reference, got, truth)) == []

    assert passed(0.7e-5)  # 3 * rms(0.5e-5, 0, 0, 0) = 0.75e-5
    assert not passed(0.8e-5)


def test_a_curve_grants_no_more_than_forty_eps_of_torchs_own_error():
    point = Point(1, "norm curve", "raw gradient norm")
    truth, reference = {point: np.asarray(4.0)}, {point: np.asarray(4.0 + 0.1)}
    for eps, passes in ((119, True), (121, False)):
        got = {point: np.asarray(4.0 * (1 + eps * EPS32))}
        assert (failures(compare(B, reference, got, truth)) == []) is passes


@pytest.mark.parametrize("side", [0, 1])
def test_a_null_value_is_held_against_zero_on_both_sides(side):
    point = Point(0, "null gradient", "c_attn.bias[key]")
    sides = [{point: np.array([0.0, 1e-17])}, {point: np.array([1e-17, 0.0])}]
    assert failures(compare(PLACE, *sides)) == []
    sides[side][point][0] = 1e-9
    assert failures(compare(PLACE, *sides)) == [point]


CHOICE = Point(0, "choice", "next token")
SCORES = CHOICE._replace(phase="logits")


def choice(gap, chosen, torch_noise=2):
    """Choosing `chosen` where the truth scores token 3 highest, and 7 less by `gap` eps."""
    rng = np.random.default_rng(2)
    scores = rng.uniform(-1, 0, size=(2, 5, 10))
    scores[..., 3] = scores[1, 2, 7] = 1.0
    scores[1, 2, 7] -= gap * rms(scores) * EPS32
    noise = rng.normal(size=scores.shape)
    reference = scores + torch_noise * EPS32 * rms(scores) / rms(noise) * noise
    ids = np.full((2, 5), 3)
    got = ids.copy()
    got[1, 2] = chosen
    results = compare(B, {CHOICE: ids, SCORES: reference}, {CHOICE: got, SCORES: reference},
                      {CHOICE: ids, SCORES: scores})
    return results[0]


@pytest.mark.parametrize(
    ("gap", "torch_noise", "passes"),
    [(59, 2, True), (61, 2, False), (7, 0, True), (8, 0, False), (1e4, 2, False)],
)
def test_another_choice_is_forgiven_only_where_the_truth_is_as_good_as_tied(
    gap, torch_noise, passes
):
    result = choice(gap, 7, torch_noise)
    assert result.passed is passes
    assert (result.index, result.expected, result.got) == ((1, 2), 3.0, 7.0)
    assert choice(gap, 3, torch_noise).used == 0.0


@pytest.mark.parametrize("chosen", [-7, 10])
def test_a_choice_outside_of_the_vocabulary_fails(chosen):
    assert "not in the vocabulary" in choice(1, chosen).note


def test_rms_survives_the_squares_of_tiny_and_huge_values():
    assert rms(np.full(3, 1e-200)) == pytest.approx(1e-200)
    assert rms(np.full(3, 1e200)) == pytest.approx(1e200)
    assert math.isnan(rms(np.array([1.0, math.nan])))


def test_the_worst_result_is_a_failure_before_any_pass():
    got = trace()
    got[LN] = got[LN] * (1 + 5e-13)
    del got[LOGITS]
    assert worst(compare(PLACE, trace(), got)).point == LOGITS
