"""microsoft/LoRA's schedules, and the flags that name them."""

import math

import pytest

from paddle_impl.config.run import RunConfig
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.optim.legacy_schedules import schedule_of


def rates(steps: int, **flags) -> list[float]:
    """The rates of a run of so many steps, and of three steps after it."""
    schedule = schedule_of(ScheduleOptions.of(**flags), steps)
    return [schedule.learning_rate(step) for step in range(1, steps + 4)]


def test_the_cosine_begins_with_the_warm_up():
    found = rates(8, scheduler="lora_cosine", max_lr=1.0, warmup_steps=4)
    cosine = [0.5 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    assert found[:4] == [0.0, 0.25, 0.5, 0.75]
    assert found[4:8] == pytest.approx(cosine[4:])  # half of the peak, behind three quarters of it
    assert found[8:] == pytest.approx([0.0] * 3, abs=1e-15)


def test_without_a_warm_up_the_cosines_first_rate_is_0_too():
    assert rates(2, scheduler="lora_cosine", max_lr=1.0)[:2] == [0.0, pytest.approx(0.5)]


def test_a_cycle_goes_from_rate_to_rate_on_lines():
    found = rates(7, scheduler="cycle", i_steps="0,4,6", i_lrs="0,1e-3,2e-4")
    assert found == pytest.approx(
        [0.0, 2.5e-4, 5e-4, 7.5e-4, 1e-3, 6e-4, 2e-4, 2e-4, 2e-4, 2e-4], rel=1e-5)


def test_the_settings_say_what_the_rates_depend_on():
    schedule = schedule_of(ScheduleOptions.of(scheduler="cycle", i_steps="0,4", i_lrs="0,1"), 9)
    assert schedule.settings == {
        "scheduler": "cycle", "first_step": 0, "i_steps": [0, 4], "i_lrs": [0.0, 1.0]}
    schedule = schedule_of(ScheduleOptions.of(scheduler="lora_cosine", warmup_ratio=0.3), 9)
    assert schedule.settings == {"scheduler": "lora_cosine", "first_step": 0, "max_lr": 1e-4,
                                 "warmup_steps": 3, "total_steps": 9}


@pytest.mark.parametrize("flags, message", [
    ({}, r"cycle takes --i_steps, whole numbers such as 0,500,2000, got None"),
    ({"i_steps": "0,4"}, r"cycle takes --i_lrs, numbers such as 0,2e-4,1e-5, got None"),
    ({"i_steps": "0,4.5", "i_lrs": "0,1"}, "whole numbers such as 0,500,2000, got 0,4.5"),
    ({"i_steps": "2,4", "i_lrs": "0,1"}, "--i_steps must begin with 0 and rise, got 2,4"),
    ({"i_steps": "0,4,4", "i_lrs": "0,1,1"}, "--i_steps must begin with 0 and rise"),
    ({"i_steps": "0,4", "i_lrs": "0,1,2"}, "--i_steps has 2 numbers and --i_lrs 3"),
    ({"i_steps": "0,4", "i_lrs": "0,-1"}, "--i_lrs must not be negative or infinite, got 0,-1"),
    ({"i_steps": "0,4", "i_lrs": "0,nan"}, "--i_lrs must not be negative or infinite"),
    ({"i_steps": "0,4", "i_lrs": "0,1", "max_lr": 3e-4}, "--max_lr 0.0003 means nothing with"),
])
def test_wrong_intervals_are_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.of(model_type="gpt", model_name_or_path="code-mini", output_dir="o",
                     scheduler="cycle", **flags)
