"""The learning rate, written from the formula and applied by torch's LambdaLR."""

import math

import numpy as np
import torch

from parity.cases import GOLDEN_RATES, GOLDEN_SCHEDULE, Case
from parity.compare import Point, Trace


def rate(step: int, schedule: dict[str, float]) -> float:
    """The rate of optimizer step `step` >= 1, as PaddleNLP's CosineAnnealingWithWarmupDecay."""
    high, low, decay = schedule["max_lr"], schedule["min_lr"], schedule["decay_steps"]
    warmup = schedule["warmup_rate"] * decay
    if step <= warmup:
        return high * step / warmup
    if step > decay:
        return low
    cosine = math.cos(math.pi * (step - warmup) / (decay - warmup))
    return low + (high - low) * (1 + cosine) / 2


def learning_rates(case: Case, dtype: str) -> Trace:
    """The case's schedule at every step and after its end; PaddleNLP's at the golden steps."""
    trace: Trace = {}
    optimizer = _idle_optimizer()
    scheduler = _lambda_lr(optimizer, case.schedule, 0)
    for step in range(1, case.schedule["decay_steps"] + 5):
        trace[Point(step, "learning rate", "lr")] = np.asarray(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    for point in GOLDEN_RATES:
        optimizer = _idle_optimizer()
        _lambda_lr(optimizer, GOLDEN_SCHEDULE, point.step - 1)
        trace[point] = np.asarray(optimizer.param_groups[0]["lr"])
    return trace


def _lambda_lr(optimizer, schedule: dict[str, float], steps_done: int):
    """LambdaLR on an optimizer of lr 1. It counts from 0 where PaddleNLP counts from 1."""
    for group in optimizer.param_groups:
        group["initial_lr"] = 1.0
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda epoch: rate(epoch + 1, schedule), last_epoch=steps_done - 1
    )


def _idle_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
