"""Flags of the logs, curves and profiles of a training run."""

import math
from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_at_least_one


@dataclass(frozen=True, kw_only=True)
class TrackingOptions(Options):
    logging_freq: int = flag(1, "a log line every so many steps")
    report_to: str = flag("visualdl", "where curves go beside metrics.jsonl: visualdl, "
                          "tensorboard, wandb, several with commas, or none")
    peak_tflops: float | None = flag(None, "the device's peak in TFLOP/s, for MFU (default: known "
                                     "for GPUs, measured on a CPU)")
    profiler_options: str | None = flag(
        None, "profile some steps, as in 'batch_range=[10,20]; profile_path=trace'",
        aliases=("-p",))

    def __post_init__(self):
        require_at_least_one(self, "logging_freq")
        require(self.peak_tflops is None or 0 < self.peak_tflops < math.inf,
                f"--peak_tflops must be positive, got {self.peak_tflops}")
