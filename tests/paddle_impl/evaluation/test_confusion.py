"""Accuracy and F1 of counts; those of scikit-learn where it is installed."""

import numpy as np
import pytest

from paddle_impl.evaluation.confusion import Confusion, accuracy, f1_scores, macro_f1


def test_by_hand():
    confusion = Confusion(4)
    confusion.add(np.array([0, 0, 0, 1, -100, 2]), np.array([0, 1, 0, 1, 0, 1]))
    assert confusion.counts.tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0] * 4]
    assert accuracy(confusion.counts) == 3 / 5
    scores = f1_scores(confusion.counts)
    assert scores[:3].tolist() == [0.8, 0.5, 0.0] and np.isnan(scores[3])
    assert macro_f1(confusion.counts) == pytest.approx(1.3 / 3)


def test_they_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for labels in (2, 3, 7):
        own, taken = rng.integers(0, labels, (2, 40))
        own[own == labels - 1] = 0  # a label that only predictions have
        confusion = Confusion(labels + 1)  # and one that nothing has
        confusion.add(own, taken)
        assert accuracy(confusion.counts) == pytest.approx(metrics.accuracy_score(own, taken))
        assert macro_f1(confusion.counts) == pytest.approx(
            metrics.f1_score(own, taken, average="macro"))
        np.testing.assert_array_equal(
            confusion.counts, metrics.confusion_matrix(own, taken, labels=range(labels + 1)))
