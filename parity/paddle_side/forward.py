"""The forward pass: every layer's output, the logits and the loss."""

from functools import partial

import numpy as np
import paddle

from paddle_impl import objectives
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import to_tensors
from parity.cases import Batch, Case, extremes
from parity.compare import Point, Trace
from parity.paddle_side import meeting, weights


def hidden_states(case: Case, dtype: str) -> Trace:
    """Outputs (B, T, C) of the embedding, each block, its two branches, and the last LayerNorm."""
    model, trace = weights.build(case, dtype), {}

    def record(name):
        def hook(_layer, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            trace[Point(0, "hidden", name)] = output.numpy()

        return hook

    layers = dict(model.named_sublayers())
    for name in case.layers():
        layers[name].register_forward_post_hook(record(name))
    _logits(model, case.batch)
    return trace


def logits(case: Case, dtype: str) -> Trace:
    """(B, T, V), and the most probable next token of every position."""
    values = _logits(weights.build(case, dtype), case.batch).numpy()
    return {
        Point(0, "logits", "next token"): values,
        Point(0, "choice", "next token"): values.argmax(axis=-1),  # as generate chooses
    }


def loss(case: Case, dtype: str) -> Trace:
    """The mean over the unmasked labels, in one process and in two tensor parallel ones."""
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        for processes, size in extremes.processes(case).items():
            (loss, *_) = meeting.run(size, partial(_mean_loss, one, dtype), model=size)
            trace[Point(0, "loss", f"loss{name}{processes}")] = loss
    return trace


def _mean_loss(case: Case, dtype: str, ranks: Ranks) -> np.ndarray:
    loss_sum, weight = summed_loss(weights.build_share(case, dtype, ranks.model), case.batch)
    return (loss_sum / weight).numpy()


def summed_loss(model, batch: Batch):
    """The cross entropy summed over the unmasked labels, and the number of these labels."""
    loss_sum, _ = objectives.CAUSAL_LM.loss(model, to_tensors(batch))
    return loss_sum, objectives.CAUSAL_LM.weight(batch)


def _logits(model, batch: Batch) -> paddle.Tensor:
    return model(paddle.to_tensor(batch["input_ids"]))
