"""Flags of the learning rate: a schedule by its name, and what it depends on."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise

from paddle_impl.config.options import Options, flag, require, require_not_negative

PADDLENLP, FROM_SCRATCH = "paddlenlp", "llms_from_scratch"
LORA_COSINE, CYCLE = "lora_cosine", "cycle"  # microsoft/LoRA's
_WARM_UP = ("warmup_steps", "warmup_ratio")
# scheduler -> the flags that it takes, beside --first_step. Those without a source in their names
# are transformers'.
SCHEDULERS: dict[str, tuple[str, ...]] = {
    PADDLENLP: ("max_lr", "min_lr", "warmup_rate", "decay_steps", "lr_decay_style"),
    "constant": ("max_lr",),
    "constant_with_warmup": ("max_lr", *_WARM_UP),
    "linear": ("max_lr", *_WARM_UP),
    "cosine": ("max_lr", *_WARM_UP, "num_cycles"),
    "cosine_with_restarts": ("max_lr", *_WARM_UP, "num_cycles"),
    FROM_SCRATCH: ("initial_lr", "max_lr", "min_lr", *_WARM_UP),
    LORA_COSINE: ("max_lr", *_WARM_UP),
    CYCLE: ("i_steps", "i_lrs"),
}
# Names that microsoft/LoRA takes as well, and then trains at a constant rate.
IGNORED = ("inv_sqrt", "dev_perf")
# The names that sentence-transformers gave to transformers' schedules.
ALIASES = {
    "constantlr": "constant", "warmupconstant": "constant_with_warmup", "warmuplinear": "linear",
    "warmupcosine": "cosine", "warmupcosinewithhardrestarts": "cosine_with_restarts",
}


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions(Options):
    scheduler: str = flag(
        PADDLENLP, "schedule of the rate: paddlenlp (warm-up and cosine by --warmup_rate and "
        "--decay_steps), llms_from_scratch (from --initial_lr up, by a cosine down to --min_lr), "
        "lora_cosine (microsoft/LoRA's, whose cosine begins with the warm-up), cycle (its lines "
        "between --i_lrs at --i_steps), or one of transformers' by its name there or in "
        "sentence-transformers",
        choices=(*SCHEDULERS, *ALIASES))
    max_lr: float = flag(1e-4, "learning rate at the end of the warm-up (PaddleNLP: 1e-5)")
    min_lr: float = flag(1e-5, "paddlenlp, llms_from_scratch: learning rate at the end (PaddleNLP: "
                         "5e-5, above max_lr)")
    warmup_rate: float = flag(
        0.01, "paddlenlp: warm-up steps as a share of decay_steps, not of max_steps")
    lr_decay_style: str = flag("cosine", "paddlenlp: how the rate decays; none: it is max_lr",
                               choices=("cosine", "none"))
    decay_steps: int = flag(360000, "paddlenlp: step at which min_lr is reached (0: max_steps)")
    initial_lr: float = flag(0.0, "llms_from_scratch: learning rate before the warm-up")
    warmup_steps: int | None = flag(None, "other schedules: steps of the warm-up (default: 0)")
    warmup_ratio: float | None = flag(
        None, "other schedules: warm-up as a share of all steps, rounded up to whole steps")
    num_cycles: float | None = flag(
        None, "cosine: waves (default: 0.5); cosine_with_restarts: falls (default: 1)")
    i_steps: str | None = flag(
        None, "cycle: steps that have the rates of --i_lrs, such as 0,500,2000; the first is 0")
    i_lrs: str | None = flag(None, "cycle: a rate for each of --i_steps, such as 0,2e-4,1e-5")
    first_step: int | None = flag(
        None, "the schedule's index of a run's first step (default: 0 for transformers' schedules, "
        "whose warm-up begins with a rate of 0, 1 for the others)", choices=(0, 1))

    @property
    def name(self) -> str:
        """The schedule's one name, whichever of its names was given."""
        return ALIASES.get(self.scheduler, self.scheduler)

    def __post_init__(self):
        require(self.scheduler not in IGNORED, f"--scheduler {self.scheduler} is no schedule: "
                "microsoft/LoRA takes the name and keeps the rate constant; name constant")
        require_not_negative(self, "max_lr", "min_lr", "initial_lr", "warmup_steps")
        if "min_lr" in SCHEDULERS[self.name]:
            require(self.min_lr <= self.max_lr, f"--min_lr {self.min_lr} is above --max_lr "
                    f"{self.max_lr}; the rate must not rise")
        require(self.initial_lr <= self.max_lr, f"--initial_lr {self.initial_lr} is above --max_lr "
                f"{self.max_lr}; the rate must not fall in the warm-up")
        require(0.0 <= self.warmup_rate <= 1.0,
                f"--warmup_rate must lie in [0, 1], got {self.warmup_rate}")
        require(self.warmup_ratio is None or 0.0 <= self.warmup_ratio <= 1.0,
                f"--warmup_ratio must lie in [0, 1], got {self.warmup_ratio}")
        require(self.warmup_steps is None or self.warmup_ratio is None,
                f"--warmup_steps {self.warmup_steps} and --warmup_ratio {self.warmup_ratio} are "
                "two warm-ups: leave one of them out")
        require(self.decay_steps >= 0,
                f"--decay_steps must not be negative, got {self.decay_steps}")
        require(self.num_cycles is None or 0.0 < self.num_cycles < float("inf"),
                f"--num_cycles must be positive and finite, got {self.num_cycles}")

        if self.name == CYCLE:
            self.intervals()

    def intervals(self) -> tuple[list[int], list[float]]:
        """--i_steps and --i_lrs; ValueError where they make no schedule."""
        steps = _numbers("i_steps", self.i_steps, int)
        rates = _numbers("i_lrs", self.i_lrs, float)
        require(steps[0] == 0 and all(one < two for one, two in pairwise(steps)),
                f"--i_steps must begin with 0 and rise, got {self.i_steps}")
        require(len(steps) == len(rates), f"--i_steps has {len(steps)} numbers and --i_lrs "
                f"{len(rates)}: expected as many of both")
        require(all(0.0 <= rate < float("inf") for rate in rates),
                f"--i_lrs must not be negative or infinite, got {self.i_lrs}")
        return steps, rates

    def check_given(self, given: list[str]) -> None:
        """ValueError where one of these flags of the command, those that are not its defaults,
        belongs to another schedule.
        """
        takes = SCHEDULERS[self.name]
        allowed = {"scheduler", "first_step", *takes}
        for name in (one.name for one in fields(self) if one.name in given):
            require(name in allowed, f"--{name} {getattr(self, name)} means nothing with "
                    f"--scheduler {self.scheduler}, which takes "
                    f"{', '.join(f'--{one}' for one in takes)}")


def _numbers(name: str, text: str | None, kind: Callable) -> list:
    """The numbers of a flag that are separated by commas."""
    try:
        return [kind(part) for part in (text or "").split(",")]
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"--scheduler {CYCLE} takes --{name}, {what} such as "
                         f"{'0,500,2000' if kind is int else '0,2e-4,1e-5'}, got {text}") from None
