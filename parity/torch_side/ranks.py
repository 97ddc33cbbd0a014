"""Several processes: each way to share the work computes what one process does."""

import numpy as np

from parity.cases import Case
from parity.compare import Point, Trace
from parity.torch_side import training


def steps(case: Case, dtype: str) -> Trace:
    """One process with every micro batch: what any number of ranks must compute."""
    agree = {Point(len(case.steps), "ranks agree", name): np.asarray(True) for name in case.weights}
    return training.steps(case, dtype) | agree


def sharded(case: Case, dtype: str) -> Trace:
    """The first of its steps."""
    return steps(case.shortened(), dtype)


split = grid = sharded
