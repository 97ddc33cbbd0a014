"""--early_stop: end a run whose validation loss no longer falls."""

import math


class EarlyStop:
    """Counts the evaluations since the one with the lowest loss.

    patience: end the run after so many evaluations without a new lowest loss; 0 never ends it.
    An equal loss or NaN is not a new lowest one. ValueError for a negative patience.
    """

    def __init__(self, patience: int):
        if patience < 0:
            raise ValueError(f"--early_stop must not be negative, got {patience}")
        self.patience = patience
        self.best, self.since = math.inf, 0

    def saw(self, loss: float) -> bool:
        """Count an evaluation with this loss; returns whether the run ends with it."""
        if loss < self.best:
            self.best, self.since = float(loss), 0
        else:
            self.since += 1
        return self.over

    @property
    def over(self) -> bool:
        """Whether patience is exhausted, which may be so at the start of a resumed run."""
        return 0 < self.patience <= self.since

    def state(self) -> dict[str, float | int | None]:
        """The state for a checkpoint, as JSON values; the best is None before an evaluation."""
        best = None if self.best == math.inf else self.best
        return {"best_valid_loss": best, "evaluations_since_best": self.since}

    def restore(self, state: dict) -> None:
        """Continue from `state()`; missing values mean that there was no evaluation yet."""
        best = state.get("best_valid_loss")
        self.best = math.inf if best is None else float(best)
        self.since = int(state.get("evaluations_since_best") or 0)
