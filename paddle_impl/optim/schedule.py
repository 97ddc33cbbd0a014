"""The learning rate as a pure function of the step, so that a checkpoint needs no state of it."""

import math


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
