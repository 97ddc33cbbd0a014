"""Label smoothing by its formula."""

import numpy as np
import paddle
import pytest

from paddle_impl.data.batch import IGNORED
from paddle_impl.finetuning.label_smoothing import above_mean, label_smoothed
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.training.measuring import to_tensors

BATCH = {"input_ids": np.array([[7, 3, 9], [2, 0, 0]]),
         "labels": np.array([[3, 9, 4], [0, IGNORED, IGNORED]])}


def logs(model) -> np.ndarray:
    """log p of every token (B, T, V), in float64."""
    logits = model(paddle.to_tensor(BATCH["input_ids"])).numpy().astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0])
def test_it_is_a_part_of_the_label_and_a_part_of_all_tokens(tiny_model, epsilon):
    tiny_model.eval()
    wanted, plain, all_logs = 0.0, 0.0, logs(tiny_model)
    for place in ((0, 0), (0, 1), (0, 2), (1, 0)):
        own = all_logs[place][BATCH["labels"][place]]
        wanted -= (1 - epsilon) * own + epsilon * all_logs[place].mean()
        plain -= own
    objective = label_smoothed(epsilon)
    loss, metrics = objective.loss(tiny_model, to_tensors(BATCH))
    assert float(loss) == pytest.approx(wanted, rel=1e-6)
    assert objective.weight(BATCH) == 4.0
    assert [float(one) for one in metrics["cross_entropy"]] == [pytest.approx(plain), 4.0]


def test_without_epsilon_it_is_the_plain_objective():
    assert label_smoothed(0.0) is CAUSAL_LM


def test_the_gradient_is_that_of_the_formula():
    """softmax - (1 - epsilon) x onehot - epsilon / V, and above_mean has a part of it."""
    logits = paddle.to_tensor(np.arange(10.0).reshape(2, 5), stop_gradient=False)
    above_mean(logits, paddle.to_tensor([2, IGNORED])).sum().backward()
    wanted = np.array([[-0.2, -0.2, 0.8, -0.2, -0.2], [0.0] * 5])
    np.testing.assert_allclose(logits.grad.numpy(), wanted, atol=1e-15)


def test_a_large_number_that_all_logits_share_costs_no_digits():
    logits = np.array([[0.25, -1.5, 2.0, 0.5]], np.float32) + np.float32(2.0**20)
    found = above_mean(paddle.to_tensor(logits), paddle.to_tensor([2]))
    assert float(found) == 2.0 - 0.3125


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_no_numbers_cost_nan(tiny_model, value):
    with paddle.no_grad():
        tiny_model.transformer.ln_f.bias[0] = value
    loss, _ = label_smoothed(0.1).loss(tiny_model, to_tensors(BATCH))
    assert np.isnan(float(loss))
