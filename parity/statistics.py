"""Random draws as z-scores: standard normal where a draw is what it claims to be.

Each function takes what one side has drawn and gives how many standard deviations it lies from
its expectation. Gate Z holds both sides to five.
"""

import math
from itertools import combinations

import numpy as np

from parity.compare import Point, Trace

# What one forward pass dropped: layer -> int8 of its input's shape, as `mask` makes it.
Masks = dict[str, np.ndarray]


def mask(values: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """1 where an input was kept, 0 where it was dropped, -1 where it was 0 and nobody can tell."""
    return np.where(values == 0, -1, dropped != 0).astype(np.int8)


def share_z(kept: int, of: int, expected: float) -> float:
    """Of `of` independent events with probability `expected`, `kept` happened."""
    return (kept - of * expected) / math.sqrt(of * expected * (1.0 - expected))


def rate_z(own: np.ndarray, keep: float) -> float:
    """The share of its inputs that a mask keeps."""
    return share_z(int(np.sum(own == 1)), int(np.sum(own >= 0)), keep)


def overlap_z(one: np.ndarray, other: np.ndarray, keep: float) -> float:
    """Places where two independent masks of the same shape agree; equal masks score hundreds."""
    both = (one >= 0) & (other >= 0)
    agree = keep * keep + (1.0 - keep) ** 2
    return share_z(int(np.sum(both & (one == other))), int(np.sum(both)), agree)


def normal_z(values: np.ndarray, std: float) -> np.ndarray:
    """(4,): mean, spread, symmetry and tails against N(0, std). values: any shape, n entries.

    The errors of x, of the sample's spread, of x^3 and x^4 are 1, 1/sqrt(2), sqrt(15), sqrt(96),
    each over sqrt(n).
    """
    scaled = values.astype(np.float64).ravel() / std
    moments = [np.mean(scaled**power) for power in (1, 2, 3, 4)]
    spread = math.sqrt(moments[1])
    errors = (1.0, 1.0 / math.sqrt(2.0), math.sqrt(15.0), math.sqrt(96.0))
    found = (moments[0], spread - 1.0, moments[2], moments[3] - 3.0)
    return np.array([f / e * math.sqrt(scaled.size) for f, e in zip(found, errors, strict=True)])


def correlation_z(one: np.ndarray, other: np.ndarray) -> float:
    """Two independent samples of one shape: their correlation times sqrt(n)."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) * math.sqrt(one.size)


def mask_trace(passes: dict[str, Masks], keep: float) -> Trace:
    """Every layer keeps its share; no two layers and no two passes share a mask."""
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
    """Initial weights against GPT-2's N(0, spread); residual projections over sqrt(2 n_layer)."""
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
