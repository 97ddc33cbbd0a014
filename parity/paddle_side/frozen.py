"""Training with frozen parameters: those of stop_gradient True."""

from functools import partial

import numpy as np

from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks
from parity.cases import Case, frozen, masters, split_key_bias
from parity.compare import Point, Trace
from parity.paddle_side import training, weights
from parity.paddle_side.forward import summed_loss


def steps(case: Case, dtype: str) -> Trace:
    """Gradients, then two optimizer steps, for each set; the same with blocks recomputed.

    Frozen parameters keep their bits, and have no optimizer state.
    """
    trace: Trace = {}
    for name, is_trained in frozen.SETS.items():
        build = partial(_model, case.without_dropout(), dtype, is_trained)
        for way, recompute in (("", False), (", recomputed", True)):
            found = _steps(frozen.begun(case), build(), recompute)
            trace |= frozen.named(found, name + way)
        trace[Point(2, "kept", f"{name}, master weights")] = np.asarray(_kept(case, build()))
    return trace


def _model(case: Case, dtype: str, is_trained):
    model = weights.build(case, dtype)
    for name, parameter in model.named_parameters():
        parameter.stop_gradient = not is_trained(name)
    return model


def _steps(case: Case, model, recompute: bool) -> Trace:
    model.recompute = recompute
    model.train()
    loss_sum, count = summed_loss(model, case.batch)
    (loss_sum / count).backward()
    trace: Trace = {}
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            kept, _ = split_key_bias(name, parameter.grad.numpy())
            trace |= {Point(0, "gradient", part): value for part, value in kept.items()}
    model.clear_gradients()
    optimizer = training.build_optimizer(model)
    trace |= training.run(case, model, optimizer)
    held = {key.rpartition(".")[0] for key in optimizer.state()}
    for name, values in optimizer.weights().items():
        if _frozen(model, name):
            same = np.array_equal(values, case.weights[name].astype(values.dtype))
            trace[Point(2, "kept", name)] = np.asarray(same and name not in held)
    return trace


def _kept(case: Case, model) -> bool:
    """Whether checkpoints hold frozen weights as they were, though the model's have another type.
    """
    for name, parameter in model.named_parameters():
        parameter.set_value(masters.start(case, name).astype(str(parameter.numpy().dtype)))
    before = {name: parameter.numpy() for name, parameter in model.named_parameters()}
    optimizer = training.build_optimizer(
        model, Ranks(), precision=Precision("O2", masters.LOWER))
    return all(before[name].dtype == values.dtype and np.array_equal(before[name], values)
               for name, values in optimizer.weights().items() if _frozen(model, name))


def _frozen(model, name: str) -> bool:
    return dict(model.named_parameters())[name].stop_gradient
