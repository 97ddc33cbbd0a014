"""Flags of mixed precision."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require

_SCALE = 32768.0


@dataclass(frozen=True, kw_only=True)
class PrecisionOptions(Options):
    use_amp: bool = flag(False, "mixed precision, on a GPU")
    amp_level: str = flag("O1", "with --use_amp: O1 casts operations, O2 the weights, with float32 "
                          "master weights", choices=("O1", "O2"))
    dtype: str | None = flag(None, "with --use_amp: the lower precision (default: float16)",
                             choices=("float16", "bfloat16"))
    scale_loss: float = flag(_SCALE, "initial loss scale, with --use_amp and float16")

    def __post_init__(self):
        for name in self.given():
            require(self.use_amp,
                    f"--{name} {getattr(self, name)} means nothing without --use_amp")
        require(0 < self.scale_loss < 2.0**127,
                f"--scale_loss must be positive and fit float32, got {self.scale_loss}")
        require(self.dtype != "bfloat16" or self.scale_loss == _SCALE,
                f"--scale_loss {self.scale_loss} goes with float16; bfloat16 has float32's range")

    def level_and_dtype(self) -> tuple[str | None, str]:
        """(level of mixed precision or None, its type)."""
        return (self.amp_level, self.dtype or "float16") if self.use_amp else (None, "float32")
