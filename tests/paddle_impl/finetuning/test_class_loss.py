"""The loss of classes is torch's, with its weights; a row without a text counts nothing."""

import numpy as np
import paddle
import pytest

from paddle_impl.evaluation.confusion import Confusion
from paddle_impl.finetuning.class_loss import balancing_weights, classification

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0], [1.0, 1.5, -2.0], [9.0, 9.0, 9.0]])
CLASSES = np.array([0, 2, 1, -100])


def of(objective):
    batch = {"input_ids": np.zeros((4, 2), np.int64), "classes": CLASSES}
    total, metrics = objective.loss(
        lambda ids, **rows: paddle.to_tensor(LOGITS),
        {name: paddle.to_tensor(values) for name, values in batch.items()})
    return float(total), objective.weight(batch), metrics


@pytest.mark.parametrize("weights", [None, np.array([0.5, 2.0, 3.0])])
def test_the_mean_is_torchs(weights):
    torch = pytest.importorskip("torch")
    total, weight, metrics = of(classification(weights))
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(LOGITS), torch.from_numpy(CLASSES),
        weight=None if weights is None else torch.from_numpy(weights))
    assert total / weight == pytest.approx(float(expected), rel=1e-12)
    assert [float(value) for value in metrics["accuracy"]] == [2.0, 3.0]


def test_predictions_are_counted():
    seen = Confusion(3)
    of(classification(seen=seen))
    assert seen.counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_weights_make_every_label_count_the_same():
    classes = np.array([0] * 6 + [1] * 3 + [3])
    weights = balancing_weights(classes, 4)
    assert weights.tolist() == [10 / 18, 10 / 9, 0.0, 10 / 3]
    assert weights[classes].sum() == pytest.approx(len(classes))
