"""The learning rate, by the function that the trainer calls."""

import numpy as np

from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.optim import schedule as paddle_schedule
from parity.cases import GOLDEN_RATES, GOLDEN_SCHEDULE, Case, schedules
from parity.compare import Point, Trace


def rate(step: int, schedule: dict[str, float]) -> float:
    """The rate of optimizer step `step` >= 1, as PaddleNLP's CosineAnnealingWithWarmupDecay."""
    return paddle_schedule.lr_at(step, **schedule)


def learning_rates(case: Case, dtype: str) -> Trace:
    """The case's schedule at every step and after its end; PaddleNLP's at the golden steps."""
    trace: Trace = {}
    for step in range(1, case.schedule["decay_steps"] + 5):
        trace[Point(step, "learning rate", "lr")] = np.asarray(rate(step, case.schedule))
    for point in GOLDEN_RATES:
        trace[point] = np.asarray(rate(point.step, GOLDEN_SCHEDULE))
    return trace


def by_name(case: Case, dtype: str) -> Trace:
    """Every schedule at each step of a run and after it; published values."""
    trace: Trace = {}
    for what, (flags, steps) in schedules.made(case).items():
        trace[Point(0, "learning rate", what)] = np.array(_rates(flags, steps))
    for point, (flags, steps, step) in schedules.GOLDEN_PLACES.items():
        trace[point] = np.asarray(_rates(flags, steps)[step - 1])
    return trace


def _rates(flags: dict, steps: int) -> list[float]:
    schedule = paddle_schedule.Schedule(ScheduleOptions.of(**flags), steps)
    return [schedule.learning_rate(step) for step in range(1, steps + schedules.BEYOND + 1)]
