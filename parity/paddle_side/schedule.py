"""The learning rate, by the function that the trainer calls."""

import numpy as np

from paddle_impl.optim import schedule as paddle_schedule
from parity.cases import GOLDEN_RATES, GOLDEN_SCHEDULE, Case
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
