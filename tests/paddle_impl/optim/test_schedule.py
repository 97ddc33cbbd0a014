"""The learning rate against the golden values of the source run (requirements K1)."""

import math

import pytest

from paddle_impl.optim.schedule import lr_at

SOURCE = {"max_lr": 1.5e-4, "min_lr": 1e-5, "warmup_rate": 0.01, "decay_steps": 320000}


@pytest.mark.parametrize(("step", "expected"), [
    (1, 4.6875e-08), (2, 9.375e-08), (3200, 1.5e-4), (50000, 1.4259576889017977e-4),
    (160000, 8.111061746843656e-5), (320000, 1e-5), (320001, 1e-5), (500000, 1e-5),
])
def test_golden_values(step, expected):
    assert lr_at(step, **SOURCE) == pytest.approx(expected, rel=1e-15)


def test_warm_up_is_not_rounded_to_whole_steps():
    options = SOURCE | {"decay_steps": 250}  # warm-up of 2.5 steps
    assert lr_at(2, **options) == pytest.approx(1.5e-4 * 2 / 2.5, rel=1e-15)
    assert lr_at(3, **options) < 1.5e-4


def test_without_warm_up_the_cosine_starts_at_once():
    assert lr_at(0, **SOURCE | {"warmup_rate": 0.0}) == pytest.approx(1.5e-4)


def test_style_none_is_constant():
    assert {lr_at(step, **SOURCE, style="none") for step in (1, 3200, 400000)} == {1.5e-4}


def test_a_warm_up_of_all_decay_steps_ends_in_the_least_rate():
    options = SOURCE | {"warmup_rate": 1.0, "decay_steps": 4}
    assert [lr_at(step, **options) for step in range(1, 7)] == [
        pytest.approx(1.5e-4 * share) for share in (0.25, 0.5, 0.75, 1.0)] + [1e-5] * 2


def test_a_warm_up_of_less_than_a_step_is_over_in_the_first():
    options = SOURCE | {"warmup_rate": 0.1, "decay_steps": 4}
    assert lr_at(1, **options) == pytest.approx(1e-5 + 1.4e-4 * 0.5 * (1 + math.cos(math.pi / 6)))
