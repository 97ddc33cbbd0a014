"""Weights and gradients for master weights: float64 stands for float32, float32 for float16."""

import numpy as np

from parity.cases import Case

LOWER = "float32"
STEPS, MICRO_BATCHES, RANKS = 3, 2, 2


def is_lowered(name: str) -> bool:
    """Whether a parameter has the lower type: all but those of LayerNorms."""
    return ".ln_" not in name


def start(case: Case, name: str) -> np.ndarray:
    """A weight whose last digits the lower type does not hold."""
    return case.weights[name].astype(np.float64) * (1.0 + 2.0**-26)


def gradient(case: Case, name: str, step: int, micro_batch: int, rank: int) -> np.ndarray:
    """The gradient of a micro batch: float32, of a size that changes from one to the next.

    The sum of two needs more digits than float32 has.
    """
    place = sorted(case.weights).index(name)
    rng = np.random.default_rng([place, step, micro_batch, rank])
    return (2.0 ** (-5 * micro_batch) * rng.standard_normal(case.weights[name].shape)).astype(LOWER)
