"""The loss is a sum and a weight, and a masked label contributes nothing to either."""

import math
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from paddle_impl.objectives import CAUSAL_LM, counted_labels, cross_entropy, mean
from paddle_impl.parallel.tensor import WHOLE
from tests.paddle_impl.meeting import together

COSTS = np.arange(1.0, 9.0).reshape(2, 4)


def loss_and_weight(model, labels):
    """(loss sum, weight) of one row of labels."""
    batch = {"input_ids": np.zeros((1, len(labels)), np.int64), "labels": np.array([labels])}
    loss, metrics = CAUSAL_LM.loss(model, {k: paddle.to_tensor(v) for k, v in batch.items()})
    assert metrics == {}
    return loss.item(), CAUSAL_LM.weight(batch)


class Fixed:
    """A model that gives the same logits (T, V) whatever it is shown."""

    parts = WHOLE

    def __init__(self, logits):
        self.logits = logits
        self.config = SimpleNamespace(vocab_size=len(logits[0]))

    def own_logits(self, ids):
        return paddle.to_tensor([self.logits])


def test_two_tokens_by_hand():
    """Raschka's example, requirements K8: mean 1.1269."""
    loss, weight = loss_and_weight(Fixed([[-1.0, 1.0], [-0.5, 1.5]]), [0, 1])
    assert weight == 2
    assert mean(loss, weight) == pytest.approx(1.1269, abs=5e-5)


def test_a_masked_label_contributes_nothing():
    logits = [[-1.0, 1.0], [-0.5, 1.5], [9.0, -9.0]]
    loss, weight = loss_and_weight(Fixed(logits), [0, 1, -100])
    assert weight == 2
    assert mean(loss, weight) == pytest.approx(1.1269, abs=5e-5)


def test_nothing_unmasked_is_zero_not_nan():
    loss, weight = loss_and_weight(Fixed([[1.0, 2.0]]), [-100])
    assert (loss, weight, mean(loss, weight)) == (0.0, 0.0, 0.0)


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary():
    loss, weight = loss_and_weight(Fixed(np.zeros((4, 32)).tolist()), [3, 1, 4, 1])
    assert mean(loss, weight) == pytest.approx(math.log(32))


def test_a_weight_below_one_divides_too():
    """An objective may weigh its examples: 0.25 of a pair that costs 3 a pair."""
    assert mean(0.75, 0.25) == 3.0


def test_token_0_is_a_label_like_any_other():
    assert counted_labels({"labels": np.array([[0, -100, 5], [-100, 0, 0]])}) == 4


def in_share(parts, logits, labels, dtype="float64"):
    """(losses, gradient of their weighted sum by this process's logits)."""
    own = paddle.to_tensor(logits[..., slice(*parts.bounds(7))].astype(dtype), stop_gradient=False)
    losses = cross_entropy(own, paddle.to_tensor(labels), parts, 7)
    (losses * paddle.to_tensor(COSTS.astype(losses.numpy().dtype))).sum().backward()
    return losses.numpy(), own.grad.numpy()


@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_cross_entropy_and_its_gradient_by_hand(scale, processes):
    """Large logits neither overflow nor stop at the 64 nats of Paddle's CPU kernel."""
    logits = np.random.default_rng(0).standard_normal((2, 4, 7)) * scale
    labels = np.array([[0, 6, 3, 2], [-100, 5, -100, 1]])
    known = labels >= 0
    chances = np.exp(logits - np.logaddexp.reduce(logits, -1, keepdims=True))
    expected = known * (np.logaddexp.reduce(logits, -1) - np.take_along_axis(
        logits, np.maximum(labels, 0)[..., None], -1)[..., 0])
    gradient = (chances - np.eye(7)[labels * known]) * (known * COSTS)[..., None]

    found = together(processes, lambda parts: in_share(parts, logits, labels))
    for losses, _ in found:
        np.testing.assert_allclose(losses, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([own for _, own in found], -1), gradient, atol=1e-12)


def test_cross_entropy_of_half_precision_is_counted_in_float32():
    random = np.random.default_rng(0)
    logits, labels = random.standard_normal((2, 4, 7)), random.integers(0, 7, (2, 4))
    for (losses, own), (expected, gradient) in zip(
        together(2, lambda parts: in_share(parts, logits, labels, "float16")),
        together(2, lambda parts: in_share(parts, logits.astype("float16"), labels)),
        strict=True,
    ):
        assert (losses.dtype, own.dtype) == (np.float32, np.float16)
        np.testing.assert_allclose(losses, expected, rtol=1e-6)
        np.testing.assert_allclose(own, gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_target_far_below_the_largest_logit_costs_the_distance(dtype):
    logits = paddle.to_tensor(np.array([[0.0, -100.0, -2e4]] * 3, dtype))
    losses = cross_entropy(logits, paddle.to_tensor([0, 1, 2]))
    assert losses.numpy().tolist() == [0.0, 100.0, 2e4]


@pytest.mark.parametrize("columns", [2, 3, 300])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_no_numbers_have_no_loss(columns, bad):
    logits = np.zeros((2, columns))
    logits[0, 1] = bad
    losses = cross_entropy(paddle.to_tensor(logits), paddle.to_tensor([0, 0])).numpy()
    assert math.isnan(losses[0])
    assert losses[1] == pytest.approx(math.log(columns))


def test_a_label_outside_the_vocabulary_is_refused():
    with pytest.raises((IndexError, ValueError), match="label"):
        cross_entropy(paddle.zeros([2, 7]), paddle.to_tensor([7, 1]))


def test_a_label_outside_the_vocabulary_costs_nan_in_several_processes():
    labels = np.array([7, -1, -100])
    for losses in together(2, lambda parts: cross_entropy(
            paddle.zeros([3, 7])[:, slice(*parts.bounds(7))], paddle.to_tensor(labels), parts, 7)):
        assert np.isnan(losses.numpy()).tolist() == [True, True, False]
