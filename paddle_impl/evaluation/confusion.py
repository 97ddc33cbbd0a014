"""Counts of which class was taken for which, and the measures that follow from them.

Shapes: B texts, L labels.
"""

import numpy as np


class Confusion:
    """counts (L, L) int64: how many texts of each class (rows) were taken for which (columns)."""

    def __init__(self, labels: int):
        self.counts = np.zeros((labels, labels), np.int64)

    def add(self, classes: np.ndarray, predicted: np.ndarray) -> None:
        """Both (B,); classes below 0 do not count."""
        known = classes >= 0
        np.add.at(self.counts, (classes[known], predicted[known]), 1)


def accuracy(counts: np.ndarray) -> float:
    """The share of the texts of a confusion matrix that were taken for their class."""
    return float(np.trace(counts) / counts.sum())


def f1_scores(counts: np.ndarray) -> np.ndarray:
    """(L,) 2 x right / (texts of the class + texts taken for it); NaN where there are neither."""
    with np.errstate(invalid="ignore"):
        return 2.0 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))


def macro_f1(counts: np.ndarray) -> float:
    """The mean over the classes that occur, or that a text was taken for, as in scikit-learn."""
    return float(np.nanmean(f1_scores(counts)))
