"""Flags that every command has: the device, and the seed of all random numbers."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions(Options):
    seed: int = flag(123, "seed of the draws; 0 is a seed like any other")
    device: str = flag("gpu", "where to run", choices=("cpu", "gpu", "xpu"))

    def __post_init__(self):
        require(0 <= self.seed < 2**32, f"--seed must lie in [0, 2^32), got {self.seed}")
