"""Flags of the learning rate: a warm-up, then a decay."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_not_negative


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions(Options):
    max_lr: float = flag(1e-4, "learning rate at the end of the warm-up (PaddleNLP: 1e-5)")
    min_lr: float = flag(1e-5, "learning rate after decay_steps (PaddleNLP: 5e-5, above max_lr)")
    warmup_rate: float = flag(0.01, "warm-up steps as a share of decay_steps, not of max_steps")
    lr_decay_style: str = flag("cosine", "schedule of the rate", choices=("cosine", "none"))
    decay_steps: int = flag(360000, "step at which min_lr is reached (0: max_steps)")

    def __post_init__(self):
        require_not_negative(self, "max_lr", "min_lr")
        require(self.min_lr <= self.max_lr,
                f"--min_lr {self.min_lr} is above --max_lr {self.max_lr}; the rate must not rise")
        require(0.0 <= self.warmup_rate <= 1.0,
                f"--warmup_rate must lie in [0, 1], got {self.warmup_rate}")
        require(self.decay_steps >= 0,
                f"--decay_steps must not be negative, got {self.decay_steps}")
