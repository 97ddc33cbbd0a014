"""The training loop: micro batches do not change results, events come at their steps, and
non-finite updates are not applied.
"""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.data.loader import PretrainLoader
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import CAUSAL_LM, Objective, causal_lm
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import measure, to_tensors
from paddle_impl.training.trainer import Cadence, Trainer, dropout_seed

SAMPLES = np.random.default_rng(3).integers(0, 50, (64, 13))


def trainer(config, micro=4, accumulation=1, objective=CAUSAL_LM, **events):
    model = GPTForCausalLM(config)
    initialize(model, 0)
    nothing = {"log": lambda record: None, "evaluate": lambda step: None, "save": lambda step: None}
    return Trainer(
        model=model,
        optimizer=build_optimizer(model, learning_rate=0.01, weight_decay=0.1),
        objective=objective,
        loader=PretrainLoader(SAMPLES, micro, 7, accumulation),
        cadence=Cadence(max_steps=6, logging_freq=2, eval_freq=3, save_steps=4,
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
    counts = {CAUSAL_LM.weight(b) for b in runs[1].loader.step(0)}
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

    monkeypatch.setattr("paddle_impl.training.trainer.time.perf_counter", lambda: now[0])
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
        loss, metrics = causal_lm(model, batch)
        return poison(loss), metrics

    kept = []
    run = trainer(tiny_model.config, objective=CAUSAL_LM._replace(loss=poisoned),
                  keep_evidence=lambda *a: kept.append(a))
    before = [p.numpy() for p in run.model.parameters()]
    with pytest.raises(FloatingPointError, match="step 1: loss .* before the update") as error:
        run.train(0)
    for p, value in zip(run.model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), value)
    ((step, kind, message),) = kept
    assert (step, kind) == (1, "not finite") and message in str(error.value)


def test_the_first_bad_tensor_is_named(tiny_model):
    """NaN in the second block's bias of c_fc: everything after it is NaN too."""
    run = trainer(tiny_model.config, micro=2, accumulation=2)
    bias = run.model.transformer.h[1].mlp.c_fc.bias
    bias.set_value(bias * math.nan)
    with pytest.raises(FloatingPointError) as error:
        run.train(0)
    assert ("first bad tensor: output of transformer.h.1.mlp.c_fc in micro batch 0, samples 0 to 1"
            in str(error.value))


def poisoned_at(steps, loss=lambda value: value * math.nan):
    """An objective whose loss is spoilt in these steps, of a run of one micro batch a step."""
    passes = []

    def spoilt(model, batch):
        passes.append(batch["input_ids"].numpy().tobytes())
        value, metrics = causal_lm(model, batch)
        return (loss(value) if len(set(passes)) in steps else value), metrics

    return CAUSAL_LM._replace(loss=spoilt)


def test_skipped_steps_change_nothing_and_are_counted(tiny_model):
    """Steps 2 and 3 are left out: the weights are those of a run that never read their batches."""
    events = []
    run = trainer(tiny_model.config, objective=poisoned_at({2, 3}), skip_nonfinite=2,
                  event=lambda *event: events.append(event))
    run.train(0)
    assert run.skipped == 2
    assert [(step, kind) for step, kind, _ in events] == [(2, "skipped"), (3, "skipped")]
    assert events[0][2].endswith("first bad tensor: the loss in micro batch 0, samples 4 to 7; "
                                 "no update, 1 of 2 left out")
    plain = trainer(tiny_model.config)
    for step in (1, 4, 5, 6):
        plain.step(step, plain.loader.step(step - 1), 0.01 * step)
    for p, q in zip(run.model.parameters(), plain.model.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_one_more_than_may_be_skipped_stops(tiny_model):
    run = trainer(tiny_model.config, objective=poisoned_at({2, 5}), skip_nonfinite=1)
    with pytest.raises(FloatingPointError, match="step 5"):
        run.train(0)
    again = trainer(tiny_model.config, objective=poisoned_at({1}), skip_nonfinite=1, skipped=1)
    with pytest.raises(FloatingPointError, match="step 4"):
        again.train(3)


def test_told_to_stop_it_saves_and_ends(tiny_model):
    """Asked at the beginning of every step; the step under way is finished."""
    asked, seen = [], {"log": [], "save": []}

    def stop():
        asked.append(1)
        return len(asked) == 3

    run = trainer(tiny_model.config, stop=stop, log=lambda r: seen["log"].append(r["step"]),
                  save=seen["save"].append)
    assert run.train(0) == 3
    assert seen == {"log": [2, 3], "save": [3]} and run.stopping


def test_an_evaluation_may_end_the_run(tiny_model):
    saved = []
    run = trainer(tiny_model.config, evaluate=lambda step: step == 3, save=saved.append)
    assert run.train(0) == 3
    assert saved == [3] and not run.stopping


@pytest.mark.parametrize("labels", [0, 1])
def test_a_step_of_one_label_or_none(tiny_model, labels):
    """The mean over one label is its loss; over none there is no loss and no gradient."""
    run = trainer(tiny_model.config)
    (batch,) = run.loader.step(0)
    batch["labels"][0, labels:] = batch["labels"][1:] = -100
    alone, _ = causal_lm(run.model, to_tensors(batch))
    loss, norm, _ = run.step(1, [batch], 0.01)
    assert loss == pytest.approx(float(alone), rel=1e-6)
    assert (norm > 0) == bool(labels)


def test_gradients_do_not_leak_into_the_next_step(tiny_model):
    run = trainer(tiny_model.config)
    run.step(1, run.loader.step(0), 0.0)
    assert all(p.grad is None or not p.grad.numpy().any() for p in run.model.parameters())


def halves(factor=1.0):
    """Causal LM in which every token weighs `factor`, and two metrics with counts of their own."""
    def loss(model, batch):
        total, _ = causal_lm(model, batch)
        even = (batch["input_ids"] % 2 == 0).astype("float64").sum()
        return total * factor, {"even": (even, batch["input_ids"].size), "rows": (len(
            batch["labels"]), 1), "nothing": (0.0, 0.0)}

    return Objective(lambda batch: factor * CAUSAL_LM.weight(batch), loss)


@pytest.mark.parametrize("factor", [1.0, 3.0, 1e-3])
def test_an_objectives_own_weight_is_the_one_that_divides(tiny_model, factor):
    """In training as in validation, also where it is below 1 altogether."""
    batches = PretrainLoader(SAMPLES, 8, 7).step(0)
    expected = measure(tiny_model, CAUSAL_LM, batches, Ranks())["loss"]
    assert measure(tiny_model, halves(factor), batches, Ranks())["loss"] == pytest.approx(
        expected, rel=1e-6)
    run = trainer(tiny_model.config, micro=2, accumulation=4, objective=halves(factor))
    loss, norm, _ = run.step(1, run.loader.step(0), 0.0)
    assert loss == pytest.approx(expected, rel=1e-6)
    plain = trainer(tiny_model.config, micro=8)
    assert norm == pytest.approx(plain.step(1, plain.loader.step(0), 0.0)[1], rel=1e-5)


def test_metrics_are_logged_under_their_names(tiny_model):
    """Each with its own count; a metric that counts nothing is left out."""
    records = []
    trainer(tiny_model.config, micro=2, accumulation=2, objective=halves(),
            log=records.append).train(5)
    (record,) = records
    inputs = SAMPLES[20:24, :-1]
    assert record["even"] == pytest.approx((inputs % 2 == 0).mean())
    assert record["rows"] == 2.0 and "nothing" not in record
    assert [*record][:5] == ["step", "loss", "lr", "grad_norm", "steps_per_s"]


def test_a_measurement_weighs_tokens_not_batches(tiny_model):
    batches = list(PretrainLoader(SAMPLES, 8, 7).first(8))
    losses = [causal_lm(tiny_model, to_tensors(batch))[0].item() for batch in batches]
    expected = sum(losses) / sum(map(CAUSAL_LM.weight, batches))
    found = measure(tiny_model, CAUSAL_LM, batches, Ranks())
    assert found == {"loss": pytest.approx(expected, rel=1e-6)}
    assert tiny_model.training
    assert measure(tiny_model, CAUSAL_LM, [], Ranks()) == {}


def test_every_forward_pass_has_its_own_dropout():
    seeds = {dropout_seed(1, step, micro, rank)
             for step in range(20) for micro in range(4) for rank in range(4)}
    assert len(seeds) == 320
    assert max(seeds) < 2**31
