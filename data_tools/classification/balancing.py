"""Which rows are kept, in which order, and in which split: as pandas draws them, without pandas.

`DataFrame.sample(n, random_state=seed)` takes the first n of RandomState(seed).permutation(rows),
and `sample(frac=1)` all of them. Source of the recipe: Raschka, Build a Large Language Model (From
Scratch), chapter 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def undersampled(classes: Sequence[int], seed: int) -> np.ndarray:
    """The numbers of rows of which each class has as many as the rarest one.

    Class after class in the order of their numbers; of a class that has more, rows are drawn, and
    the others are in the order in which they came.
    """
    classes = np.asarray(classes)
    kinds, counts = np.unique(classes, return_counts=True)
    kept = []
    for kind in kinds:
        rows = np.flatnonzero(classes == kind)
        if len(rows) > counts.min():
            rows = rows[_permutation(len(rows), seed)[: counts.min()]]
        kept.append(rows)
    return np.concatenate(kept)


def shuffled(rows: np.ndarray, seed: int) -> np.ndarray:
    """All rows in a new order."""
    return rows[_permutation(len(rows), seed)]


def parts(rows: np.ndarray, shares: Sequence[float]) -> list[np.ndarray]:
    """The rows cut into as many runs as there are shares, the last of which takes what is left.

    shares: each part's, of which the sum is 1. The size of each but the last is rounded down.
    """
    ends = np.cumsum([int(len(rows) * share) for share in shares[:-1]])
    return np.split(rows, ends)


def _permutation(count: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).permutation(count)
