"""The learning rate as a pure function of the step, so that a checkpoint needs no state of it."""

import math
from typing import Any

from paddle_impl.config.schedule import FROM_SCRATCH, PADDLENLP, SCHEDULERS, ScheduleOptions


class Schedule:
    """The schedule that the flags name, for a run of `total_steps` optimizer steps.

    settings: the names and values that determine it, for messages and training_state.json.
    """

    def __init__(self, options: ScheduleOptions, total_steps: int):
        self.name = options.name
        first = 1 if self.name in (PADDLENLP, FROM_SCRATCH) else 0
        self.first_step = first if options.first_step is None else options.first_step
        self._values = _values(options, total_steps)
        self.settings: dict[str, Any] = {
            "scheduler": self.name, "first_step": self.first_step, **self._values}

    def learning_rate(self, step: int) -> float:
        """Of optimizer step `step`, counted from 1."""
        index = step - 1 + self.first_step
        if self.name == PADDLENLP:
            return lr_at(index, **self._values)
        if self.name == FROM_SCRATCH:
            return lr_from_scratch(index, **self._values)
        return transformers_lr(index, self.name, **self._values)


def _values(options: ScheduleOptions, total_steps: int) -> dict[str, Any]:
    """The arguments of the schedule's function: those alone that change its rates."""
    name, takes = options.name, SCHEDULERS[options.name]
    if name == PADDLENLP:
        return {
            "max_lr": options.max_lr, "min_lr": options.min_lr,
            "warmup_rate": options.warmup_rate,
            "decay_steps": options.decay_steps or total_steps,
            "style": options.lr_decay_style,
        }
    values: dict[str, Any] = {"max_lr": options.max_lr}
    if name == FROM_SCRATCH:
        values |= {"initial_lr": options.initial_lr, "min_lr": options.min_lr}
    if "warmup_steps" in takes:
        steps = options.warmup_steps or 0
        if options.warmup_ratio is not None:
            steps = math.ceil(total_steps * options.warmup_ratio)
        values["warmup_steps"] = steps
    if name not in ("constant", "constant_with_warmup"):
        values["total_steps"] = total_steps
    if "num_cycles" in takes:
        values["num_cycles"] = options.num_cycles or (0.5 if name == "cosine" else 1.0)
    return values


def lr_at(
    step: int,
    *,
    max_lr: float,
    min_lr: float,
    warmup_rate: float,
    decay_steps: int,
    style: str = "cosine",
) -> float:
    """Learning rate of optimizer step `step` >= 1 (PaddleNLP's CosineAnnealingWithWarmupDecay).

    Linear from 0 to max_lr over warmup_rate * decay_steps steps (a float, not rounded), then a
    cosine to min_lr at decay_steps, then min_lr. style "none" is max_lr throughout.
    """
    if style == "none":
        return max_lr
    warmup = warmup_rate * decay_steps
    if warmup > 0 and step <= warmup:
        return max_lr * step / warmup
    if step > decay_steps:
        return min_lr
    progress = (step - warmup) / (decay_steps - warmup)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * progress)) * (max_lr - min_lr)


def transformers_lr(
    step: int, name: str, *, max_lr: float, warmup_steps: int = 0, total_steps: int = 0,
    num_cycles: float = 0.5,
) -> float:
    """The rate at index `step` >= 0 of the schedule that transformers.get_scheduler has by `name`.

    A line from 0 up to max_lr at warmup_steps; then constant, a line to 0 at total_steps, or
    cosines. After total_steps a cosine goes up again, and the other two are 0.
    """
    if name == "constant":
        return max_lr
    if step < warmup_steps:
        return max_lr * (step / warmup_steps)
    if name == "constant_with_warmup":
        return max_lr
    rest = max(1, total_steps - warmup_steps)
    if name == "linear":
        return max_lr * max(0.0, (total_steps - step) / rest)
    progress = (step - warmup_steps) / rest
    if name == "cosine":
        angle = math.pi * num_cycles * 2.0 * progress
    else:
        if progress >= 1.0:
            return 0.0
        angle = math.pi * (num_cycles * progress % 1.0)
    return max_lr * max(0.0, 0.5 * (1.0 + math.cos(angle)))


def lr_from_scratch(
    step: int, *, initial_lr: float, max_lr: float, min_lr: float, warmup_steps: int,
    total_steps: int,
) -> float:
    """The rate at step `step` >= 1 of Raschka, "Build a Large Language Model (From Scratch)".

    A line from initial_lr up to max_lr at warmup_steps, then a cosine to min_lr at total_steps,
    then min_lr.
    """
    if warmup_steps > 0 and step <= warmup_steps:
        return initial_lr + step * ((max_lr - initial_lr) / warmup_steps)
    if step >= total_steps:
        return min_lr
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * progress)) * (max_lr - min_lr)
