"""Training with frozen parameters: those of requires_grad False."""

import numpy as np

from parity.cases import Case, frozen, split_key_bias
from parity.compare import Point, Trace
from parity.torch_side import training, weights
from parity.torch_side.forward import summed_loss


def steps(case: Case, dtype: str) -> Trace:
    """Gradients, then two optimizer steps, for each set; the same with blocks recomputed.

    Frozen parameters keep their bits, and have no optimizer state.
    """
    trace: Trace = {}
    for name, is_trained in frozen.SETS.items():
        found = _steps(frozen.begun(case), dtype, is_trained)
        for way in ("", ", recomputed"):
            trace |= frozen.named(found, name + way)
        trace[Point(2, "kept", f"{name}, master weights")] = np.asarray(True)
    return trace


def _steps(case: Case, dtype: str, is_trained) -> Trace:
    model = weights.build(case, dtype)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = is_trained(name)
    loss_sum, count = summed_loss(model, case.batch)
    (loss_sum / count).backward()
    trace: Trace = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kept, _ = split_key_bias(name, parameter.grad.numpy().copy())
            trace |= {Point(0, "gradient", part): value for part, value in kept.items()}
    trace |= training.run(case, model, *training.optimizer_and_scheduler(case, model))
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            trace[Point(2, "kept", name)] = np.asarray(True)
    return trace
