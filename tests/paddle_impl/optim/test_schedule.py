"""The learning rate against golden values: of the source run, of transformers, of the book."""

import math

import pytest

from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.optim.schedule import Schedule, lr_at

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


def rates(total_steps, steps, **flags) -> list[float]:
    """Of these steps of a run."""
    schedule = Schedule(ScheduleOptions.of(**flags), total_steps)
    return [schedule.learning_rate(step) for step in steps]


# Indices of transformers' schedules with 7 steps of warm-up and 50 in all; the rate at 51 is that
# at 49, because the cosine goes up again.
@pytest.mark.parametrize(("names", "indices", "expected"), [
    (("linear", "warmuplinear"), (0, 7, 20, 50, 51), (0, 3e-4, 2.0930232558139534e-4, 0, 0)),
    (("cosine", "warmupcosine"), (0, 7, 20, 49, 50, 51),
     (0, 3e-4, 2.3727883733369292e-4, 4.0015745046725336e-07, 0, 4.0015745046725336e-07)),
    (("cosine_with_restarts", "warmupcosinewithhardrestarts"), (0, 7, 20, 49, 50, 51),
     (0, 3e-4, 2.3727883733369292e-4, 4.0015745046725336e-07, 0, 0)),
    (("constant_with_warmup", "warmupconstant"), (0, 7, 50), (0, 3e-4, 3e-4)),
])
def test_schedules_of_transformers(names, indices, expected):
    for name in names:
        flags = {"scheduler": name, "max_lr": 3e-4, "warmup_steps": 7}
        close = pytest.approx(expected, rel=1e-14, abs=0)
        assert rates(50, [index + 1 for index in indices], **flags) == close
        assert rates(50, indices, first_step=1, **flags) == close


def test_a_constant_rate_has_no_warm_up():
    for name in ("constant", "constantlr"):
        assert rates(5, range(1, 9), scheduler=name, max_lr=3e-4) == [3e-4] * 8


def test_cycles():
    """A cosine of one cycle is back at its height in the end; three falls begin high each."""
    assert rates(40, (1, 11, 21, 31, 41), scheduler="cosine", max_lr=1.0, num_cycles=1) == [
        pytest.approx(rate, abs=1e-15) for rate in (1, 0.5, 0, 0.5, 1)]
    falls = rates(40, range(1, 41), scheduler="cosine_with_restarts", max_lr=1.0, num_cycles=4)
    assert falls == pytest.approx(falls[:10] * 4) and falls[0] == 1.0 > falls[9] > 0.0


def test_the_schedule_of_the_book_llms_from_scratch():
    flags = {"scheduler": "llms_from_scratch", "initial_lr": 5e-5, "max_lr": 1e-3, "min_lr": 1e-5,
             "warmup_steps": 10}
    assert rates(40, (1, 10, 11, 25, 39, 40, 41, 60), **flags) == pytest.approx(
        [1.45e-4, 1e-3, 9.972883382072953e-4, 5.05e-4, 1.2711661792704668e-5] + [1e-5] * 3,
        rel=1e-14)
    assert rates(40, (1,), first_step=0, **flags) == [5e-5]
    for warmup in (0, 40):
        found = rates(40, range(1, 42), **flags | {"warmup_steps": warmup})
        assert max(found) == pytest.approx(1e-3, rel=0.01) and found[40] == 1e-5


@pytest.mark.parametrize(("ratio", "total", "steps"), [(0.2, 10, 2), (0.21, 10, 3), (0.0, 10, 0),
                                                       (1.0, 3, 3), (0.01, 10, 1)])
def test_a_ratio_of_the_steps_is_rounded_up(ratio, total, steps):
    found = Schedule(ScheduleOptions.of(scheduler="linear", warmup_ratio=ratio), total)
    assert found.settings["warmup_steps"] == steps


def test_the_default_is_paddlenlps_and_may_begin_at_0():
    assert rates(9, (1, 3200), **SOURCE) == [lr_at(1, **SOURCE), lr_at(3200, **SOURCE)]
    assert rates(9, (1, 2), first_step=0, **SOURCE) == [0.0, lr_at(1, **SOURCE)]
    assert rates(320000, (7,), **SOURCE | {"decay_steps": 0}) == [lr_at(7, **SOURCE)]


def test_settings_are_what_changes_the_rates():
    def settings(total=50, **flags):
        return Schedule(ScheduleOptions.of(**flags), total).settings

    assert settings(scheduler="warmuplinear", warmup_ratio=0.1) == settings(
        scheduler="linear", warmup_steps=5, num_cycles=3, min_lr=0.0) == {
        "scheduler": "linear", "first_step": 0, "max_lr": 1e-4, "warmup_steps": 5,
        "total_steps": 50}
    assert settings(50, scheduler="constant") == settings(60, scheduler="constant")
    assert settings()["style"] == "cosine" and settings()["scheduler"] == "paddlenlp"
