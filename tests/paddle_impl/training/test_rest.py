"""A step whose loss is 0 and has no gradient: a mistake, but where a loss may rest."""

import numpy as np
import pytest

from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.training.nonfinite import NoGradientError
from tests.paddle_impl.training.test_trainer import trainer

NOTHING = CAUSAL_LM._replace(loss=lambda model, batch: (CAUSAL_LM.loss(model, batch)[0] * 0.0, {}))
# A loss that is not 0, whose gradient is.
CONSTANT = CAUSAL_LM._replace(
    loss=lambda model, batch: (CAUSAL_LM.loss(model, batch)[0] * 0.0 + 1.0, {}))


def test_where_it_may_rest_training_goes_on(tiny_model):
    losses = []
    run = trainer(tiny_model.config, objective=NOTHING, may_rest=True,
                  log=lambda record: losses.append(record["loss"]))
    run.cadence = run.cadence.__class__(**vars(run.cadence) | {"logging_freq": 1})
    assert run.train(0) == 6 and losses == [0.0] * 6
    assert all(np.isfinite(value.numpy()).all() for value in run.model.parameters())


@pytest.mark.parametrize(("objective", "may_rest"), [(NOTHING, False), (CONSTANT, True)])
def test_elsewhere_it_stops_the_run(tiny_model, objective, may_rest):
    with pytest.raises(NoGradientError, match="every gradient of the"):
        trainer(tiny_model.config, objective=objective, may_rest=may_rest).train(0)
