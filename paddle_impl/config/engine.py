"""Flags of how the model is computed when it generates text."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require_at_least_one

DECODERS = ("auto", "paddle", "native")


@dataclass(frozen=True, kw_only=True)
class EngineOptions(Options):
    batch_size: int = flag(16, "sequences that are computed at the same time")
    decoder: str = flag(
        "auto", "the C++ decode step (native, on a CPU), plain Paddle, or what fits",
        choices=DECODERS)

    def __post_init__(self):
        require_at_least_one(self, "batch_size")
