"""Statistics of random draws as z-scores, which are standard normal where the draws are right.

A z-score is how many standard deviations a statistic lies from its expectation. At gate Z no
z-score of either side may exceed 5.
"""

import math
from itertools import combinations

import numpy as np

from parity.compare import Point, Trace

# The dropout masks of one forward pass: layer -> int8 of its input's shape, made by `mask`.
Masks = dict[str, np.ndarray]


def mask(values: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """1 where an input was kept, 0 where it was dropped, -1 where it was 0, which does not show."""
    return np.where(values == 0, -1, dropped != 0).astype(np.int8)


def share_z(kept: int, of: int, expected: float) -> float:
    """z-score of `kept` out of `of` independent events that have probability `expected` each."""
    return (kept - of * expected) / math.sqrt(of * expected * (1.0 - expected))


def rate_z(own: np.ndarray, keep: float) -> float:
    """z-score of the share of its inputs that a mask keeps."""
    return share_z(int(np.sum(own == 1)), int(np.sum(own >= 0)), keep)


def overlap_z(one: np.ndarray, other: np.ndarray, keep: float) -> float:
    """z-score of the share of places where two masks of one shape agree, if they are independent.

    Equal masks have z-scores in the hundreds.
    """
    both = (one >= 0) & (other >= 0)
    agree = keep * keep + (1.0 - keep) ** 2
    return share_z(int(np.sum(both & (one == other))), int(np.sum(both)), agree)


def normal_z(values: np.ndarray, std: float) -> np.ndarray:
    """z-scores (4,) of mean, standard deviation, third and fourth moment against N(0, std).

    values: any shape, n entries. The standard errors of the mean, the standard deviation and the
    means of x^3 and x^4 are 1, 1/sqrt(2), sqrt(15) and sqrt(96), each over sqrt(n).
    """
    scaled = values.astype(np.float64).ravel() / std
    moments = [np.mean(scaled**power) for power in (1, 2, 3, 4)]
    spread = math.sqrt(moments[1])
    errors = (1.0, 1.0 / math.sqrt(2.0), math.sqrt(15.0), math.sqrt(96.0))
    found = (moments[0], spread - 1.0, moments[2], moments[3] - 3.0)
    return np.array([f / e * math.sqrt(scaled.size) for f, e in zip(found, errors, strict=True)])


def correlation_z(one: np.ndarray, other: np.ndarray) -> float:
    """z-score of the correlation of two samples of one shape, if they are independent."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) * math.sqrt(one.size)


def mask_trace(passes: dict[str, Masks], keep: float) -> Trace:
    """z-scores of dropout masks: every layer's keep rate, and the agreement of masks.

    Masks of two passes, and of two layers in one pass, must be independent of each other.
    """
    trace: Trace = {}
    layers = next(iter(passes.values()))
    for layer in layers:
        rates = np.array([rate_z(own[layer], keep) for own in passes.values()])
        trace[Point(0, "keep rate", layer)] = rates
    for layer in layers:
        apart = [overlap_z(one[layer], other[layer], keep)
                 for one, other in combinations(passes.values(), 2)]
        trace[Point(0, "passes apart", layer)] = np.array(apart)
    for one, other in combinations(layers, 2):
        if layers[one].shape == layers[other].shape:
            apart = [overlap_z(masks[one], masks[other], keep) for masks in passes.values()]
            trace[Point(0, "layers apart", f"{one} and {other}")] = np.array(apart)
    return trace


def weight_trace(
    weights: dict[str, np.ndarray], other_seed: dict[str, np.ndarray], n_layer: int, spread: float
) -> Trace:
    """z-scores of initial weights against GPT-2's N(0, spread).

    The residual projections have spread / sqrt(2 n_layer). Weights of two layers, and of two seeds,
    must be uncorrelated.
    """
    trace: Trace = {}
    drawn = {n: v for n, v in weights.items() if v.ndim == 2}
    for name, values in drawn.items():
        std = spread / math.sqrt(2 * n_layer) if name.endswith("c_proj.weight") else spread
        trace[Point(0, "initial weight", name)] = normal_z(values, std)
        alike = np.array([correlation_z(values, other_seed[name])])
        trace[Point(0, "seeds apart", name)] = alike
    for one, other in combinations(drawn, 2):
        if drawn[one].shape == drawn[other].shape:
            alike = np.array([correlation_z(drawn[one], drawn[other])])
            trace[Point(0, "weights apart", f"{one} and {other}")] = alike
    for name in weights.keys() - drawn.keys():
        start = 1.0 if name.endswith("weight") else 0.0  # gains and biases
        trace[Point(0, "initial constant", name)] = np.asarray(bool(np.all(weights[name] == start)))
    return dict(sorted(trace.items()))
