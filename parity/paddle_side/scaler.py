"""The trainer with a loss scale: steps whose gradients overflow are skipped."""

import numpy as np

from paddle_impl import objectives
from paddle_impl.optim.precision import LossScaler
from parity.cases import Case, clip_decisions, scaling
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """The training rung's run with loss scaling, and the scale after each step."""
    case = case.without_dropout()
    model = weights.build(case, dtype)
    scaler = LossScaler(scaling.INITIAL, growth_interval=scaling.GROWTH_INTERVAL)
    trace: Trace = {}
    passes = 0

    def poisoned(model, batch):
        nonlocal passes
        step = 1 + passes // len(case.steps[0])
        passes += 1
        loss, metrics = objectives.CAUSAL_LM.loss(model, batch)
        return scaling.poisoned(loss, step), metrics

    def after(step: int) -> None:
        trace[Point(step, "loss scale", "scale")] = np.asarray(scaler.scale)

    trace |= training.run(case, model, training.build_optimizer(model), scaler=scaler, after=after,
                          objective=objectives.CAUSAL_LM._replace(loss=poisoned))
    return trace | clip_decisions(case, trace)
