"""The losses of preference pairs: published values, ties, rows without a pair, other batches."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.preference import LOSSES
from paddle_impl.finetuning import preference_loss
from paddle_impl.finetuning.preference_loss import (
    log_probabilities,
    pair_losses,
    preference,
    rewards,
)
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.training.measuring import to_tensors

# Log-probabilities by the policy and by the reference: three chosen responses, three rejected ones.
POLICY = np.array([-1.0, -2.0, -0.5, -1.5, -1.0, -0.7])
REFERENCE = np.array([-1.2, -1.8, -0.5, -1.4, -1.3, -0.7])


@pytest.mark.parametrize(("form", "smoothing", "expected"), [
    ("sigmoid", 0.0, 0.6966221683048933), ("sigmoid", 0.1, 0.6959555016382267),
    ("sigmoid_norm", 0.0, 0.6966221683048933), ("ipo", 0.0, 25.78), ("ipo_norm", 0.0, 25.78),
    ("hinge", 0.0, 1.0066666666666666),
])
def test_golden_values(form, smoothing, expected):
    losses = pair_losses(paddle.to_tensor(POLICY - REFERENCE), form, 0.1, smoothing)
    assert float(losses.mean()) == expected


def test_rewards_are_scaled_by_beta_and_a_tie_counts_one_half():
    found = {name: values.numpy() for name, values in rewards(
        paddle.to_tensor(POLICY - REFERENCE), 0.1).items()}
    np.testing.assert_array_equal(found["accuracy"], [1.0, 0.0, 0.5])
    np.testing.assert_allclose(found["unscaled_margin"], [0.3, -0.5, 0.0], atol=1e-15)
    np.testing.assert_allclose(found["margin"], [0.03, -0.05, 0.0], atol=1e-15)
    np.testing.assert_allclose(found["chosen_reward"], [0.02, -0.02, 0.0], atol=1e-15)
    np.testing.assert_allclose(found["rejected_reward"], [-0.01, 0.03, 0.0], atol=1e-15)


@pytest.mark.parametrize("form", LOSSES)
def test_at_the_start_every_pair_is_a_tie_that_has_a_gradient(form):
    ratios = paddle.zeros([4], "float64")
    ratios.stop_gradient = False
    losses = pair_losses(ratios, form, 0.25)
    start = {"sigmoid": math.log(2.0), "ipo": 4.0, "hinge": 1.0}[form.removesuffix("_norm")]
    assert losses.numpy() == pytest.approx([start, start], rel=1e-15)
    losses.sum().backward()
    slope = {"sigmoid": -0.125, "ipo": -4.0, "hinge": -0.25}[form.removesuffix("_norm")]
    np.testing.assert_allclose(ratios.grad.numpy(), [slope, slope, -slope, -slope], rtol=1e-15)


def test_a_margin_of_any_size_has_a_finite_loss():
    losses = pair_losses(paddle.to_tensor([900.0, -900.0, 0.0, 0.0]), "sigmoid", 1.0)
    assert losses.numpy().tolist() == [0.0, 900.0]


@pytest.mark.parametrize("form", [form for form in LOSSES if form != "sigmoid"])
def test_label_smoothing_of_another_form_is_refused(form):
    with pytest.raises(ValueError, match=f"not for {form}"):
        preference(form, 0.1, 0.1)


@pytest.fixture
def model():
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=50, n_positions=24, embd_pdrop=0.0,
        attn_pdrop=0.0, resid_pdrop=0.0, initializer_range=0.3))
    initialize(model, 0)
    return model


def rows(lengths, width=9, seed=0):
    """A batch of pairs; of lengths, one a row, so many labels count from the third on."""
    stream = np.random.default_rng(seed)
    ids = stream.integers(1, 50, (len(lengths), width))
    labels = stream.integers(1, 50, (len(lengths), width))
    for row, length in enumerate(lengths):
        labels[row, :2] = labels[row, 2 + length :] = -100
    return {"input_ids": ids, "labels": labels, "reference": stream.normal(-8, 3, len(lengths))}


def picked(batch, *pairs):
    half = len(batch["labels"]) // 2
    order = [*pairs, *(pair + half for pair in pairs)]
    return {name: values[order] for name, values in batch.items()}


@pytest.mark.parametrize("form", LOSSES)
def test_the_split_into_batches_changes_nothing(model, form):
    """A sum over pairs, whatever stands beside them, rows without a pair included."""
    objective = preference(form, 0.5, sft_weight=0.25)
    batch = rows([3, 5, 1, 0, 4, 2, 7, 0])  # the last pair of both halves has no label
    assert objective.weight(batch) == 3.0
    whole, metrics = objective.loss(model, to_tensors(batch))
    parts = [objective.loss(model, to_tensors(picked(batch, *pairs)))
             for pairs in ((0,), (1, 2), (3,))]
    assert float(whole) == pytest.approx(sum(float(loss) for loss, _ in parts), rel=1e-5)
    assert float(parts[2][0]) == 0.0
    for name, (total, count) in metrics.items():
        assert float(count) == 3.0
        assert float(total) == pytest.approx(
            sum(float(found[name][0]) for _, found in parts), rel=1e-5, abs=1e-5)


def test_a_mean_is_over_the_tokens_of_the_response(model):
    """With two tokens in every response a mean is half of a sum."""
    batch = rows([2, 2, 2, 2])
    sums = preference("ipo", 0.5).loss(model, to_tensors(batch))[1]
    means = preference("ipo_norm", 0.5).loss(model, to_tensors(batch))[1]
    for name in ("unscaled_margin", "chosen_reward", "chosen_logp", "rejected_logp"):
        assert float(means[name][0]) == pytest.approx(float(sums[name][0]) / 2, rel=1e-5), name


def test_the_chosen_response_is_learned_too(model):
    """--sft_weight adds that factor of the mean over its tokens."""
    batch = to_tensors(rows([4, 1]))
    sums, tokens = (values.numpy() for values in log_probabilities(model, batch))
    assert tokens.tolist() == [4.0, 1.0]
    plain, _ = preference("sigmoid", 0.5).loss(model, batch)
    loss, metrics = preference("sigmoid", 0.5, sft_weight=0.75).loss(model, batch)
    assert float(loss - plain) == pytest.approx(-0.75 * sums[0] / 4, rel=1e-5)
    assert float(metrics["chosen_nll"][0]) == pytest.approx(-sums[0] / 4, rel=1e-6)


def test_the_factor_is_not_rounded_to_float32():
    assert float(preference_loss._constant(0.1, paddle.zeros([1], "float64"))) == 0.1
