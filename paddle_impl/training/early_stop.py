"""Which evaluation was the best, and --early_stop: end a run that no longer improves."""

import math
from collections.abc import Mapping

from paddle_impl.checkpoint.state import BEST_VALID
from paddle_impl.config.options import require
from paddle_impl.config.run import RunConfig


class EarlyStop:
    """Counts the evaluations since the best one.

    patience: end the run after so many evaluations without a better one; 0 never ends it.
    metric: the measure of the valid split that decides. greater_is_better: whether a greater value
    is a better one. An equal value or NaN is not better. ValueError for a negative patience.
    """

    def __init__(self, patience: int, metric: str = "loss", greater_is_better: bool = False):
        if patience < 0:
            raise ValueError(f"--early_stop must not be negative, got {patience}")
        self.patience = patience
        self.metric, self.greater_is_better = metric, greater_is_better
        self._worst = -math.inf if greater_is_better else math.inf
        self.best, self.since = self._worst, 0

    @classmethod
    def of(
        cls, config: RunConfig, task: str, measures: Mapping[str, bool], has_valid: bool
    ) -> "EarlyStop":
        """From the flags. measures: those of the task, and whether a greater value is better.

        ValueError where the flags ask for a measure or a valid split that the run does not have.
        """
        patience, metric = config.validation.early_stop, config.validation.metric_for_best_model
        for flag, value in (("early_stop", patience), ("keep_best", config.checkpoint.keep_best)):
            require(not value or has_valid, f"--{flag} needs a valid split, and this run has none")
        require(metric in measures, f"--metric_for_best_model {metric}: {task} measures "
                f"{', '.join(measures)}")
        return cls(patience, metric, measures[metric])

    def saw(self, value: float) -> bool:
        """Count an evaluation with this value; returns whether the run ends with it."""
        if value > self.best if self.greater_is_better else value < self.best:
            self.best, self.since = float(value), 0
        else:
            self.since += 1
        return self.over

    @property
    def over(self) -> bool:
        """Whether patience is exhausted, which may be so at the start of a resumed run."""
        return 0 < self.patience <= self.since

    def state(self) -> dict[str, float | int | None]:
        """The state for a checkpoint, as JSON values; the best is None before an evaluation."""
        best = None if self.best == self._worst else self.best
        return {BEST_VALID + self.metric: best, "evaluations_since_best": self.since}

    def restore(self, state: dict) -> None:
        """Continue from `state()`; missing values mean that there was no evaluation yet."""
        best = state.get(BEST_VALID + self.metric)
        self.best = self._worst if best is None else float(best)
        self.since = int(state.get("evaluations_since_best") or 0)
