"""Training with torch.amp.GradScaler: steps whose gradients overflow are skipped."""

import numpy as np
import torch

from parity.cases import Case, clip_decisions, scaling
from parity.compare import Point, Trace
from parity.torch_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """The training rung's run with loss scaling, and the scale after each step."""
    case = case.without_dropout()
    model = weights.build(case, dtype)
    scaler = torch.amp.GradScaler(
        "cpu", init_scale=scaling.INITIAL, growth_interval=scaling.GROWTH_INTERVAL
    )

    def after(step: int) -> Trace:
        return {Point(step, "loss scale", "scale"): np.asarray(scaler.get_scale())}

    optimizer, scheduler = training.optimizer_and_scheduler(case, model)
    trace = training.run(case, model, optimizer, scheduler, after=after, scaler=scaler,
                         poison=scaling.poisoned)
    return trace | clip_decisions(case, trace)
