"""A run that stops in the middle, and continues from its saved state in new objects."""

import io

import numpy as np
import torch

from parity.cases import Case
from parity.compare import Point, Trace
from parity.torch_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """The training rung's run, interrupted half way."""
    trace, _ = _interrupted(case.without_dropout(), dtype)
    return trace


def with_dropout(case: Case, dtype: str) -> Trace:
    """1 for each parameter that has equal bits with and without an interruption, with dropout."""
    torch.manual_seed(0)
    model = weights.build(case, dtype)
    training.run(case, model, *training.optimizer_and_scheduler(case, model))
    torch.manual_seed(0)
    _, resumed = _interrupted(case, dtype)
    last = dict(resumed.named_parameters())
    return {
        Point(len(case.steps), "resumed", name):
            np.asarray(np.array_equal(value.detach().numpy(), last[name].detach().numpy()))
        for name, value in model.named_parameters()
    }


def _interrupted(case: Case, dtype: str):
    """(the trace of both halves, the model at the end)."""
    model = weights.build(case, dtype)
    optimizer, scheduler = training.optimizer_and_scheduler(case, model)
    half = len(case.steps) // 2
    trace = training.run(case, model, optimizer, scheduler, stop=half)
    file = io.BytesIO()
    parts = (model, optimizer, scheduler)
    torch.save([*(part.state_dict() for part in parts), torch.get_rng_state()], file)
    torch.manual_seed(1)  # the second half must not depend on the first half's generator
    file.seek(0)
    *states, draws = torch.load(file, weights_only=True)
    model = weights.build(case, dtype)
    optimizer, scheduler = training.optimizer_and_scheduler(case, model)
    for part, state in zip((model, optimizer, scheduler), states, strict=True):
        part.load_state_dict(state)
    torch.set_rng_state(draws)
    trace |= training.run(case, model, optimizer, scheduler)
    return trace, model
