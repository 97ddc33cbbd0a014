"""A run that stops in the middle, and continues from its saved state in new objects."""

import tempfile
from pathlib import Path

import numpy as np
import paddle

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState
from parity.cases import Case
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """The training rung's run, interrupted half way."""
    trace, _ = _interrupted(case.without_dropout(), dtype)
    return trace


def with_dropout(case: Case, dtype: str) -> Trace:
    """1 for each parameter that has equal bits with and without an interruption, with dropout."""
    model = weights.build(case, dtype)
    training.run(case, model, training.build_optimizer(model))
    _, resumed = _interrupted(case, dtype)
    last = dict(resumed.named_parameters())
    return {
        Point(len(case.steps), "resumed", name):
            np.asarray(np.array_equal(value.numpy(), last[name].numpy()))
        for name, value in model.named_parameters()
    }


def state_of(case: Case, step: int) -> TrainingState:
    """What a checkpoint of the step needs besides weights and optimizer."""
    return TrainingState(
        step=step, samples=step, seed=0, order_key="", sample_order="", tokenizer=None,
        global_batch_size=1, schedule=case.schedule,
    )


def _interrupted(case: Case, dtype: str):
    """(the trace of both halves, the model at the end)."""
    model = weights.build(case, dtype)
    optimizer = training.build_optimizer(model)
    half = len(case.steps) // 2
    trace = training.run(case, model, optimizer, stop=half)
    with tempfile.TemporaryDirectory() as directory:
        path = checkpoint.save(Path(directory), model, optimizer, state_of(case, half), None)
        paddle.seed(1)  # the second half must not depend on the first half's generator
        with weights.default_dtype(dtype):
            model = checkpoint.load_model(path)
        optimizer = training.build_optimizer(model)
        checkpoint.load_optimizer(path, optimizer)
        step = checkpoint.load_state(path).step
    trace |= training.run(case, model, optimizer, start=step)
    return trace, model
