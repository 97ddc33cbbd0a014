"""--early_stop: end a run whose valid loss no longer falls."""

import math


class EarlyStop:
    """Counts evaluations since the best; whether to stop is a function of what was seen.

    patience: evaluations without a new best after which a run ends; 0 never ends it. A new best is
    strictly below the old: NaN, or the same loss again, is none.
    """

    def __init__(self, patience: int):
        if patience < 0:
            raise ValueError(f"--early_stop must not be negative, got {patience}")
        self.patience = patience
        self.best, self.since = math.inf, 0

    def saw(self, loss: float) -> bool:
        """Count an evaluation; whether the run ends with it."""
        if loss < self.best:
            self.best, self.since = float(loss), 0
        else:
            self.since += 1
        return self.over

    @property
    def over(self) -> bool:
        """Whether the run has ended already, as one may have that is resumed."""
        return 0 < self.patience <= self.since

    def state(self) -> dict[str, float | int | None]:
        """What a checkpoint keeps, as JSON holds it; the best is None before there is one."""
        best = None if self.best == math.inf else self.best
        return {"best_valid_loss": best, "evaluations_since_best": self.since}

    def restore(self, state: dict) -> None:
        """Go on from `state()`; from a checkpoint without one, as if nothing had been seen."""
        best = state.get("best_valid_loss")
        self.best = math.inf if best is None else float(best)
        self.since = int(state.get("evaluations_since_best") or 0)
