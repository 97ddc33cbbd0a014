"""A step in which labels count, but no trainable parameter gets a gradient, stops the run."""

import numpy as np
import pytest

from paddle_impl.objectives import CAUSAL_LM, causal_lm
from tests.paddle_impl.training.test_trainer import trainer


def scaled(factor):
    def loss(model, batch):
        total, metrics = causal_lm(model, batch)
        return total * factor, metrics

    return CAUSAL_LM._replace(loss=loss)


def test_a_step_without_a_gradient_stops_before_the_update(tiny_model):
    kept = []
    run = trainer(tiny_model.config, objective=scaled(0.0),
                  keep_evidence=lambda *a: kept.append(a))
    before = [p.numpy() for p in run.model.parameters()]
    with pytest.raises(FloatingPointError, match="step 1: loss 0.0, but every gradient .*"
                       r"transformer.wte.weight, ...\) is zero: .*samples 0 to 3") as error:
        run.train(0)
    for p, value in zip(run.model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), value)
    ((step, kind, message),) = kept
    assert (step, kind) == (1, "no gradient") and message in str(error.value)


def test_gradients_whose_squares_are_zero_are_gradients(tiny_model):
    run = trainer(tiny_model.config, objective=scaled(1e-30))
    _, norm, _ = run.step(1, run.loader.step(0), 0.01)
    assert norm == 0.0
