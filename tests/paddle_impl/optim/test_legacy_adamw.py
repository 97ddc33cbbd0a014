"""The legacy AdamW: published values, its options, its state, and how it is sharded."""

import numpy as np
import paddle
import pytest

from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.run import RunConfig
from paddle_impl.optim.choice import chosen_optimizer
from paddle_impl.optim.precision import FULL, Precision
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import WHOLE
from parity.paddle_side import meeting
from tests.paddle_impl.optim import sharding_job as job

LEGACY = {"optimizer": "adamw_legacy"}


def optimizer_of(model, ranks=None, precision=FULL, stage=1, rate=0.01, **flags):
    return chosen_optimizer(
        OptimizerOptions.of(**{"weight_decay": 0.1} | LEGACY | flags), model, learning_rate=rate,
        ranks=ranks or Ranks(), precision=precision, stage=stage)


class Pair(paddle.nn.Layer):
    """Two numbers, as a matrix and as a bias."""

    def __init__(self, values=(1.0, -0.5)):
        super().__init__()
        self.parts = WHOLE
        column = paddle.nn.initializer.Assign(np.array(values)[:, None])
        row = paddle.nn.initializer.Assign(np.array(values))
        self.weight = self.create_parameter([2, 1], dtype="float64", default_initializer=column)
        self.bias = self.create_parameter([2], dtype="float64", default_initializer=row)

    def taken(self, optimizer, gradients) -> tuple[list, list]:
        for gradient in gradients:
            for parameter in self.parameters():
                wanted = np.array(gradient, np.float64).reshape(parameter.shape)
                (parameter * paddle.to_tensor(wanted)).sum().backward()
            optimizer.step()
            optimizer.clear_grad()
        return self.weight.numpy().ravel().tolist(), self.bias.numpy().tolist()


GRADIENTS = ((0.5, -0.25), (-0.1, 0.3), (0.0, 1e-8))


@pytest.mark.parametrize("optimizer, wanted, digits", [
    ("adamw_legacy", (0.8068512031614986, -0.42411627889416814), 1e-14),
    ("adamw", (0.8066494054826522, -0.4240315473066069), 1e-7),  # Paddle rounds its settings
])
def test_published_values(optimizer, wanted, digits):
    """Of microsoft/LoRA's AdamW and of torch's."""
    model = Pair()
    found, _ = model.taken(optimizer_of(
        model, rate=0.1, optimizer=optimizer, weight_decay=0.01, adam_epsilon=1e-6), GRADIENTS)
    assert found == pytest.approx(wanted, rel=digits)


def test_without_correction_the_first_step_is_smaller():
    """By (1 - beta1) / sqrt(1 - beta2) of it, where epsilon and decay are nothing."""
    moved = {}
    for corrected in (True, False):
        model = Pair()
        (first, _), _ = model.taken(optimizer_of(
            model, weight_decay=0.0, adam_epsilon=1e-15, correct_bias=corrected), GRADIENTS[:1])
        moved[corrected] = 1.0 - first
    assert moved[True] == pytest.approx(0.01)
    assert moved[False] / moved[True] == pytest.approx(0.1 / 0.001**0.5)


@pytest.mark.parametrize("flags, factor", [({}, 1.0), ({"no_decay_bias": False}, 0.95)])
def test_decay_spares_biases_unless_it_shall_not(flags, factor):
    model = Pair()
    weight, bias = model.taken(optimizer_of(model, rate=0.1, weight_decay=0.5, **flags), [(0, 0)])
    assert weight == pytest.approx([0.95, -0.475], rel=1e-15)
    assert bias == pytest.approx([factor, -0.5 * factor], rel=1e-15)


def test_with_its_state_it_goes_on_bit_for_bit():
    whole, first = Pair(), Pair()
    wanted = whole.taken(optimizer_of(whole), GRADIENTS)
    begun = optimizer_of(first)
    weight, bias = first.taken(begun, GRADIENTS[:2])
    state = begun.state()
    assert state["weight.steps"].tolist() == [2.0] and state["bias.moment1"].shape == (2,)
    second = Pair(weight)
    second.bias.set_value(np.array(bias))
    resumed = optimizer_of(second)
    resumed.load_state(state)
    assert second.taken(resumed, GRADIENTS[2:]) == wanted
    with pytest.raises(ValueError, match="does not fit the model"):
        optimizer_of(Pair(), optimizer="adamw").load_state(state)


@pytest.mark.parametrize("size, shape, stage", [
    (2, {"sharding": 2}, 1), (3, {"sharding": 3}, 2), (4, {"sharding": 2}, 3)])
def test_stages_compute_what_one_process_does(monkeypatch, size, shape, stage):
    monkeypatch.setattr(job, "build_optimizer", lambda model, learning_rate, weight_decay, ranks,
                        stage: optimizer_of(model, ranks, stage=stage, rate=learning_rate))
    alone = job.train(Ranks())
    for got in meeting.run(size, lambda ranks: job.train(ranks, stage=stage), **shape):
        assert got.keys() == alone.keys()
        for name, value in alone.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-13, err_msg=name)


def test_masters_are_updated_in_the_higher_type():
    """Updates of 1e-9 add up in the float64 master of a float32 weight."""
    model = Pair((1.0, 1.0))
    optimizer = optimizer_of(model, precision=Precision("O2", "float32"), rate=1e-9,
                             weight_decay=0.0)
    for _ in range(20):
        for parameter in model.parameters():
            parameter.sum().backward()
        optimizer.step()
        optimizer.clear_grad()
    assert str(model.weight.dtype).endswith("float32")
    assert (1.0 - optimizer.weights()["weight"]).max() == pytest.approx(2e-8, rel=1e-3)


@pytest.mark.parametrize("flags, message", [
    ({"correct_bias": False}, "--correct_bias false is for --optimizer adamw_legacy"),
    ({"no_decay_bias": False}, "--no_decay_bias false is for --optimizer adamw_legacy"),
    (LEGACY | {"mp_degree": 2}, "--optimizer adamw_legacy is not built for --mp_degree 2"),
])
def test_what_does_not_go_together_is_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.of(model_type="gpt", model_name_or_path="code-mini", output_dir="o", **flags)
