"""Training in several processes, which must compute the same as one process."""

import numpy as np

from parity.cases import Case
from parity.cases.odd import odd
from parity.compare import Point, Trace
from parity.torch_side import training


def steps(case: Case, dtype: str) -> Trace:
    """The training rung's run in one process, which takes every micro batch."""
    agree = {Point(len(case.steps), "ranks agree", name): np.asarray(True) for name in case.weights}
    return training.steps(case, dtype) | agree


def sharded(case: Case, dtype: str) -> Trace:
    """The first steps of the same run."""
    return steps(case.shortened(), dtype)


def stage_2(case: Case, dtype: str) -> Trace:
    """The run of a model without round sizes, in one process."""
    return steps(odd(case), dtype)


split = grid = sharded
stage_3 = moved = stage_2
