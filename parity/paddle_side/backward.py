"""The gradient of the mean loss, raw and clipped."""

import numpy as np

from paddle_impl.optim.clip import clip_grad_norm
from parity.cases import Case, split_key_bias
from parity.compare import Point, Trace
from parity.paddle_side import weights
from parity.paddle_side.forward import summed_loss


def gradients(case: Case, dtype: str) -> Trace:
    """The gradient of every parameter, the last layer first; the key bias is compared with zero."""
    return gradient_trace(_differentiated(case, dtype))


def gradient_trace(model) -> Trace:
    """The gradients that a backward pass has left in the model."""
    trace: Trace = {}
    for name, parameter in reversed(list(model.named_parameters())):
        kept, null = split_key_bias(name, parameter.grad.numpy())
        trace |= {Point(0, "gradient", part): value for part, value in kept.items()}
        if null is not None:
            trace[Point(0, "null gradient", f"{name}[key]")] = null
    return trace


def clipped_gradients(case: Case, dtype: str) -> Trace:
    """The gradient norm, and the clipped gradients for each of the case's clip bounds."""
    trace: Trace = {}
    for name, bound in case.clip_bounds().items():
        model = _differentiated(case, dtype)
        limit = bound(clip_grad_norm(model.parameters(), 0.0))
        norm = clip_grad_norm(model.parameters(), limit)
        trace[Point(0, "raw norm", name)] = np.asarray(norm)
        for parameter_name, parameter in model.named_parameters():
            kept, _ = split_key_bias(parameter_name, parameter.grad.numpy())
            for part, value in kept.items():
                trace[Point(0, "clipped gradient", f"{name}: {part}")] = value
    return trace


def _differentiated(case: Case, dtype: str):
    model = weights.build(case, dtype)
    loss_sum, weight = summed_loss(model, case.batch)
    (loss_sum / weight).backward()
    return model
