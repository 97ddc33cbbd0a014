"""microsoft/LoRA's schedules that transformers does not have, and the choice among all schedules.

Source: microsoft/LoRA, examples/NLG/src/optimizer.py. There a step is a micro batch; here it is an
optimizer step, which with gradient accumulation are fewer.
"""

import math

from paddle_impl.config.schedule import CYCLE, LORA_COSINE, ScheduleOptions
from paddle_impl.optim.schedule import Schedule


def schedule_of(options: ScheduleOptions, total_steps: int) -> Schedule:
    """The schedule that the flags name, for a run of `total_steps` optimizer steps."""
    kind = LegacySchedule if options.name in (LORA_COSINE, CYCLE) else Schedule
    return kind(options, total_steps)


class LegacySchedule(Schedule):
    """A schedule by one of microsoft/LoRA's own classes."""

    def __init__(self, options: ScheduleOptions, total_steps: int):
        super().__init__(options, total_steps)
        if self.name == CYCLE:
            self._values = dict(zip(("i_steps", "i_lrs"), options.intervals(), strict=True))
            self.settings = {"scheduler": self.name, "first_step": self.first_step, **self._values}

    def learning_rate(self, step: int) -> float:
        """Of optimizer step `step`, counted from 1."""
        rate = cycle_lr if self.name == CYCLE else lora_cosine_lr
        return rate(step - 1 + self.first_step, **self._values)


def lora_cosine_lr(step: int, *, max_lr: float, warmup_steps: int, total_steps: int) -> float:
    """The rate at index `step` >= 0: 0 at index 0, a line up to max_lr, then a cosine to 0.

    The cosine begins at index 0 and not behind the warm-up, so that the rate falls at its end from
    max_lr to what the cosine has by then. After total_steps it is 0.
    """
    if step == 0:
        return 0.0
    if step < warmup_steps:
        return max_lr * step / warmup_steps
    progress = min(step, total_steps) / total_steps
    return max_lr * 0.5 * (1.0 + math.cos(math.pi * progress))


def cycle_lr(step: int, *, i_steps: list[int], i_lrs: list[float]) -> float:
    """The rate at index `step` >= 0: i_lrs at i_steps, on lines between them, the last one after.

    i_steps: rising, the first is 0. Upstream's lines are longer than their intervals by 1e-6 steps.
    """
    for number, (begin, end) in enumerate(zip(i_steps, i_steps[1:], strict=False)):
        if step < end:
            part = (step - begin) / (end - begin + 1e-6)
            return part * i_lrs[number + 1] + (1.0 - part) * i_lrs[number]
    return i_lrs[-1]
