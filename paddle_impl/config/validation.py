"""Flags of the evaluations on held-out data during training."""

from dataclasses import dataclass

from paddle_impl.config.options import (
    Options,
    flag,
    require,
    require_at_least_one,
    require_not_negative,
)


@dataclass(frozen=True, kw_only=True)
class ValidationOptions(Options):
    eval_freq: int = flag(500, "an evaluation every so many steps, on the same batches each time")
    eval_iters: int = flag(10, "batches of an evaluation; the test at the end takes ten times it")
    early_stop: int = flag(0, "stop after so many evaluations without a better one; 0 never")
    metric_for_best_model: str = flag(
        "loss", "the measure of the valid split that decides for --early_stop and --keep_best, "
        "such as loss or perplexity")
    test_file: str | None = flag(None, "prompts, one a line, completed at each evaluation")

    def __post_init__(self):
        require_at_least_one(self, "eval_freq")
        require_not_negative(self, "eval_iters", "early_stop")
        require(self.early_stop == 0 or self.eval_iters > 0,
                "--early_stop needs evaluations, --eval_iters 0 makes none")
