"""A whole pretraining run: from token files and a checkpoint to curves and a checkpoint."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from parity.cases import Case, scaling, text
from parity.compare import Point, Trace
from parity.torch_side import order, training, weights
from parity.torch_side.forward import summed_loss
from parity.torch_side.schedule import rate


def pretraining(case: Case, dtype: str) -> Trace:
    """Learning rate, loss and gradient norm of each step, held-out losses, and the total update."""
    with tempfile.TemporaryDirectory() as directory:
        text.write_token_file(Path(directory) / "code", text.END_ID)
        tokens = order.read(Path(directory) / "code")
    per_step = text.BATCH * text.ACCUMULATION
    train = _batches(tokens, "train", per_step * text.RUN_STEPS)
    valid = _batches(tokens, "valid", text.BATCH * text.RUN_EVAL_BATCHES)
    test = _batches(tokens, "test", text.BATCH * text.RUN_TEST_BATCHES)
    steps = [train[i * text.ACCUMULATION : (i + 1) * text.ACCUMULATION]
             for i in range(text.RUN_STEPS)]
    own = replace(case.without_dropout(), steps=steps, snapshots=())
    model = weights.build(own, dtype)

    def evaluate(step: int) -> Trace:
        if step % text.RUN_EVAL_EVERY:
            return {}
        loss = _mean_loss(model, valid[: text.RUN_EVAL_BATCHES])
        return {Point(step, "held-out loss", "valid"): np.asarray(loss)}

    optimizer, scheduler = training.optimizer_and_scheduler(own, model)
    trace = training.run(own, model, optimizer, scheduler, after=evaluate)
    loss = _mean_loss(model, test[: text.RUN_TEST_BATCHES])
    trace[Point(text.RUN_STEPS, "held-out loss", "test")] = np.asarray(loss)
    trace[Point(text.RUN_STEPS, "kept", "tokenizer")] = np.asarray(True)
    trace[Point(text.RUN_STEPS, "kept", "end token")] = np.asarray(text.END_ID)
    for name, parameter in sorted(model.named_parameters()):
        trace |= training.update(text.RUN_STEPS, case, name, parameter.detach().numpy())
        trace[Point(text.RUN_STEPS, "resumed", name)] = np.asarray(True)
    return trace


def settings(case: Case, dtype: str) -> Trace:
    """The rate of every dropout module, and 1 for each of three facts about seeds.

    Another seed changes the initial weights and the dropout masks, and nothing else.
    """
    hidden, attention = text.RUN_DROPOUT, text.RUN_ATTENTION_DROPOUT
    rates = case.config.with_(embd_pdrop=hidden, resid_pdrop=hidden, attn_pdrop=attention)
    modules = dict(weights.build(replace(case, config=rates), dtype).named_modules())
    trace: Trace = {Point(0, "dropout", name): np.asarray(modules[name].p)
                    for name in case.dropouts()}
    for what in ("first weights", "dropout", "nothing else"):
        trace[Point(0, "seed", what)] = np.asarray(True)
    return trace


def rates(case: Case, dtype: str) -> Trace:
    """The learning rate of each step of a run, and after it, by several flags."""
    trace: Trace = {}
    for what, flags in text.RATE_FLAGS.items():
        decay = flags["decay_steps"] or text.RATE_STEPS
        own = case.schedule | flags | {"decay_steps": decay}
        constant = flags.get("lr_decay_style") == "none"
        for step in range(1, text.RATE_STEPS + 3):
            value = own["max_lr"] if constant else rate(step, own)
            trace[Point(step, "learning rate", what)] = np.asarray(value)
    return trace


def progress(case: Case, dtype: str) -> Trace:
    """What a run counts: the scale of torch.amp.GradScaler after each step, the steps whose loss is
    not finite, and the evaluations without a lower loss. Nothing depends on an interruption.
    """
    scaler = torch.amp.GradScaler("cpu", init_scale=scaling.INITIAL,
                                  growth_interval=scaling.RESUMED_GROWTH)
    weight = torch.ones((), requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.0)
    scales, skipped = [], []
    for step in range(1, scaling.RESUMED_STEPS + 1):
        optimizer.zero_grad()
        scaler.scale(scaling.spoiled(weight * 1.0, step)).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        skipped.append(float(sum(nan <= step for nan in scaling.NANS)))
    trace: Trace = {}
    before = scaling.NANS[1] - 1  # the resumed run ends before its second loss that is no number
    for output, part in (("whole", slice(None)),
                         ("resumed", slice(scaling.RESUMED_AFTER, before))):
        trace[Point(0, "loss scale", output)] = np.array(scales[part])
        trace[Point(0, "skipped", output)] = np.array(skipped[part])
        trace[Point(0, "ended", output)] = np.arange(1.0, len(scales) + 1)[part]
    end = scaling.EVALUATE_EVERY * (1 + scaling.PATIENCE)
    for output in ("still", "resumed still"):
        trace[Point(0, "ended", f"{output}, early stop")] = np.array(end)
    return trace


def _batches(tokens, split: str, wanted: int) -> list:
    taken = order.micro_batches(tokens, split, wanted, text.SEED)
    # The end token comes from the data's tokenizer, not from the model.
    return [order.parts(batch, text.END_ID) for batch in taken]


@torch.no_grad()
def _mean_loss(model, batches) -> float:
    sums, counts = zip(*(summed_loss(model.eval(), batch) for batch in batches), strict=True)
    model.train()
    return float(sum(sums) / sum(counts))
