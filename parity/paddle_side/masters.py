"""Master weights (level O2), sharded over two ranks at stage 2."""

import numpy as np
import paddle

from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks
from parity.cases import Case
from parity.cases import masters as fixtures
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.schedule import rate


def steps(case: Case, dtype: str) -> Trace:
    """Gradient norms, masters and moments of steps with given gradients; whether the model's
    weights are the masters in the lower type.
    """
    return meeting.run(fixtures.RANKS, lambda ranks: _steps(case, dtype, ranks),
                       sharding=fixtures.RANKS)[0]


def _steps(case: Case, dtype: str, ranks: Ranks) -> Trace:
    model = weights.build(case, dtype)
    for name, parameter in model.named_parameters():
        parameter.set_value(fixtures.start(case, name))
    optimizer = training.build_optimizer(model, ranks, stage=2,
                                         precision=Precision("O2", fixtures.LOWER))
    trace: Trace = {}
    for step in range(1, fixtures.STEPS + 1):
        for micro_batch in range(fixtures.MICRO_BATCHES):
            for name, parameter in model.named_parameters():
                pull = fixtures.gradient(case, name, step, micro_batch, ranks.data.rank)
                (parameter * paddle.to_tensor(pull).astype(parameter.dtype)).sum().backward()
        optimizer.reduce_gradients()
        norm = optimizer.clip_gradients(case.clip)
        trace[Point(step, "norm curve", "raw gradient norm")] = np.asarray(norm)
        optimizer.set_lr(rate(step, case.schedule))
        optimizer.step()
        optimizer.clear_grad()
    state = optimizer.state()
    held = {name: value.numpy() for name, value in model.named_parameters()}
    for name, master in optimizer.weights().items():
        trace |= training.update(fixtures.STEPS, case, name, master)
        for phase, slot in (("first moment", "moment1"), ("second moment", "moment2")):
            trace[Point(fixtures.STEPS, phase, name)] = state[f"{name}.{slot}"]
        lower = master.astype(fixtures.LOWER if fixtures.is_lowered(name) else dtype)
        trace[Point(fixtures.STEPS, "kept", name)] = np.asarray(
            held[name].dtype == lower.dtype and np.array_equal(held[name], lower))
    return trace
