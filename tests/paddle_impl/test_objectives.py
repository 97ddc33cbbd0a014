"""The loss is a sum and a weight, and a masked label contributes nothing to either."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.objectives import causal_lm


def batch(labels, mask):
    return {
        "input_ids": paddle.zeros([1, len(labels)], "int64"),
        "labels": paddle.to_tensor([labels]),
        "loss_mask": paddle.to_tensor([mask], "float32"),
    }


def fixed(logits):
    return lambda ids: paddle.to_tensor([logits])


def test_two_tokens_by_hand():
    """Raschka's example, requirements K8: mean 1.1269."""
    loss, weight = causal_lm(fixed([[-1.0, 1.0], [-0.5, 1.5]]), batch([0, 1], [1, 1]))
    assert weight.item() == 2
    assert loss.item() / 2 == pytest.approx(1.1269, abs=5e-5)


def test_a_masked_label_contributes_nothing():
    logits = [[-1.0, 1.0], [-0.5, 1.5], [9.0, -9.0]]
    loss, weight = causal_lm(fixed(logits), batch([0, 1, 1], [1, 1, 0]))
    assert weight.item() == 2
    assert loss.item() / 2 == pytest.approx(1.1269, abs=5e-5)
    ignored, _ = causal_lm(fixed(logits), batch([0, 1, -100], [1, 1, 0]))
    assert ignored.item() == loss.item()


def test_nothing_unmasked_is_zero_not_nan():
    loss, weight = causal_lm(fixed([[1.0, 2.0]]), batch([0], [0]))
    assert (loss.item(), weight.item()) == (0.0, 0.0)


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary():
    loss, weight = causal_lm(fixed(np.zeros((4, 32)).tolist()), batch([3, 1, 4, 1], [1] * 4))
    assert loss.item() / weight.item() == pytest.approx(math.log(32))
