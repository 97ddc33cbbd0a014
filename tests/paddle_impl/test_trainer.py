"""The loop: micro batches are neutral, events come on time, nothing non-finite is applied."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.data.loader import PretrainLoader
from paddle_impl.distributed import Ranks
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import causal_lm
from paddle_impl.optim import build_optimizer
from paddle_impl.trainer import Schedule, Trainer, dropout_seed, mean_loss

SAMPLES = np.random.default_rng(3).integers(0, 50, (64, 13))


def trainer(config, micro=4, accumulation=1, objective=causal_lm, **events):
    model = GPTForCausalLM(config)
    initialize(model, 0)
    nothing = {"log": lambda record: None, "evaluate": lambda step: None, "save": lambda step: None}
    return Trainer(
        model=model,
        optimizer=build_optimizer(model, learning_rate=0.01, weight_decay=0.1),
        objective=objective,
        loader=PretrainLoader(SAMPLES, micro, 7, accumulation),
        schedule=Schedule(max_steps=6, logging_freq=2, eval_freq=3, save_steps=4,
                          learning_rate=lambda step: 0.01 * step),
        grad_clip=0.5, seed=1, ranks=Ranks(), **nothing | events,
    )


def test_micro_batches_are_neutral_in_float64(tiny_model):
    """Their token counts differ, so a mean of means would not pass."""
    paddle.set_default_dtype("float64")
    try:
        records = []
        runs = [trainer(tiny_model.config, 4, 1, log=records.append),
                trainer(tiny_model.config, 1, 4, log=records.append)]
        for run in runs:
            run.train(0)
    finally:
        paddle.set_default_dtype("float32")
    whole, cut = records[:3], records[3:]
    for a, b in zip(whole, cut, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-12)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-11)
    for p, q in zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), atol=1e-8)
    counts = {float(b["loss_mask"].sum()) for b in runs[1].loader.step(0)}
    assert len(counts) > 1


def test_events_come_on_their_steps_and_at_the_end(tiny_model):
    seen = {"log": [], "evaluate": [], "save": []}
    run = trainer(tiny_model.config, log=lambda r: seen["log"].append((r["step"], r["lr"])),
                  evaluate=seen["evaluate"].append, save=seen["save"].append)
    run.train(1)
    assert seen == {"log": [(2, 0.02), (4, 0.04), (6, 0.06)], "evaluate": [3, 6], "save": [4, 6]}


def test_speed_is_that_of_steps_and_not_of_what_comes_between(tiny_model, monkeypatch):
    """On a clock that a batch moves by half a second, an evaluation by a hundred."""
    now = [0.0]
    speeds = []

    def takes(seconds):
        return lambda *_: now.__setitem__(0, now[0] + seconds)

    monkeypatch.setattr("paddle_impl.trainer.time.perf_counter", lambda: now[0])
    run = trainer(tiny_model.config, log=lambda record: speeds.append(record["steps_per_s"]),
                  evaluate=takes(100.0), save=takes(100.0))
    load = run.loader.step
    object.__setattr__(run.loader, "step", lambda index: [takes(0.5)(), load(index)][1])
    run.train(0)
    assert speeds == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "poison",
    [
        lambda loss: loss * math.nan,
        lambda loss: loss + math.inf,  # the gradient stays finite
        lambda loss: loss + (loss * 0.0).sqrt(),  # the loss stays finite
    ],
    ids="both loss gradient".split(),
)
def test_what_is_not_finite_stops_before_the_update(tiny_model, poison):
    def poisoned(model, batch):
        loss, weight = causal_lm(model, batch)
        return poison(loss), weight

    run = trainer(tiny_model.config, objective=poisoned)
    before = [p.numpy() for p in run.model.parameters()]
    with pytest.raises(FloatingPointError, match="step 1: loss .* before the update"):
        run.train(0)
    for p, value in zip(run.model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), value)


@pytest.mark.parametrize("labels", [0, 1])
def test_a_step_of_one_label_or_none(tiny_model, labels):
    """The mean over one label is its loss; over none there is no loss and no gradient."""
    run = trainer(tiny_model.config)
    (batch,) = run.loader.step(0)
    batch["loss_mask"] = np.zeros_like(batch["loss_mask"])
    batch["loss_mask"][0, :labels] = 1.0
    alone, _ = causal_lm(run.model, {name: paddle.to_tensor(a) for name, a in batch.items()})
    loss, norm = run.step(1, [batch], 0.01)
    assert loss == pytest.approx(float(alone), rel=1e-6)
    assert (norm > 0) == bool(labels)


def test_gradients_do_not_leak_into_the_next_step(tiny_model):
    run = trainer(tiny_model.config)
    run.step(1, run.loader.step(0), 0.0)
    assert all(p.grad is None or not p.grad.numpy().any() for p in run.model.parameters())


def test_mean_loss_weighs_tokens_not_batches(tiny_model):
    batches = list(PretrainLoader(SAMPLES, 8, 7).first(8))
    total = [tuple(float(x) for x in causal_lm(tiny_model, {
        name: paddle.to_tensor(array) for name, array in batch.items()})) for batch in batches]
    expected = sum(loss for loss, _ in total) / sum(weight for _, weight in total)
    assert mean_loss(tiny_model, causal_lm, batches, Ranks()) == pytest.approx(expected, rel=1e-6)
    assert tiny_model.training
    assert math.isnan(mean_loss(tiny_model, causal_lm, [], Ranks()))


def test_every_forward_pass_has_its_own_dropout():
    seeds = {dropout_seed(1, step, micro, rank)
             for step in range(20) for micro in range(4) for rank in range(4)}
    assert len(seeds) == 320
    assert max(seeds) < 2**31
