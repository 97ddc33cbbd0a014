"""The learning rate, written from the formula and applied by torch's LambdaLR."""

import math

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from parity.cases import GOLDEN_RATES, GOLDEN_SCHEDULE, Case, schedules
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
    return LambdaLR(
        optimizer, lambda epoch: rate(epoch + 1, schedule), last_epoch=steps_done - 1
    )


def _idle_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def by_name(case: Case, dtype: str) -> Trace:
    """Every schedule at each step of a run and after it, by transformers' function of that name or
    by the formula of its source; published values.
    """
    trace: Trace = {}
    for what, (flags, steps) in schedules.made(case).items():
        trace[Point(0, "learning rate", what)] = np.array(_rates(flags, steps))
    for point, (flags, steps, step) in schedules.GOLDEN_PLACES.items():
        trace[point] = np.asarray(_rates(flags, steps)[step - 1])
    return trace


def _rates(flags: dict, steps: int) -> list[float]:
    optimizer = _idle_optimizer()
    scheduler, first = _scheduler(optimizer, flags, steps)
    rates = []
    for _ in range(flags.get("first_step", first) + steps + schedules.BEYOND):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates[flags.get("first_step", first):]


def _scheduler(optimizer, flags: dict, steps: int):
    """The scheduler, and the index of the first step where the flags name none."""
    warmup = flags.get("warmup_steps", math.ceil(steps * flags.get("warmup_ratio", 0)))
    own = flags.get("scheduler")
    if own is None:
        return LambdaLR(optimizer, lambda step: rate(step, flags)), 1
    if own == "llms_from_scratch":
        return LambdaLR(optimizer, lambda step: _from_scratch(step, flags, warmup, steps)), 1
    (name,) = (name for name, (alias, _) in schedules.NAMES.items() if own in (name, alias))
    optimizer.param_groups[0]["lr"] = flags["max_lr"]
    cycles = {"num_cycles": flags["num_cycles"]} if "num_cycles" in flags else None
    return get_scheduler(name, optimizer, warmup, steps, cycles), 0


def _from_scratch(step: int, flags: dict, warmup: int, steps: int) -> float:
    """Up by equal increments, then the mean of both ends, swung by half of their distance."""
    start, peak, end = flags["initial_lr"], flags["max_lr"], flags["min_lr"]
    if warmup and step <= warmup:
        return start + step * (peak - start) / warmup
    if step > steps:
        return end
    swing = math.cos(math.pi * (step - warmup) / (steps - warmup)) if steps > warmup else -1.0
    return (peak + end) / 2 + swing * (peak - end) / 2
