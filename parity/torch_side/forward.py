"""The forward pass: every layer's output, the logits and the loss."""

import torch
import torch.nn.functional as F

from parity.cases import Batch, Case, extremes
from parity.compare import Point, Trace
from parity.torch_side import weights


def hidden_states(case: Case, dtype: str) -> Trace:
    """Outputs (B, T, C) of the embedding, each block, its two branches, and the last LayerNorm.

    They are taken by hooks, because output_hidden_states lacks the last block's own output: its
    last entry has passed ln_f.
    """
    model, trace = weights.build(case, dtype), {}

    def record(name):
        def hook(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            trace[Point(0, "hidden", name)] = output.detach().numpy()

        return hook

    modules = dict(model.named_modules())
    for name in case.layers():
        modules[name].register_forward_hook(record(name))
    _logits(model, case.batch)
    return trace


def logits(case: Case, dtype: str) -> Trace:
    """(B, T, V), and the most probable next token of every position."""
    values = _logits(weights.build(case, dtype), case.batch).detach()
    return {
        Point(0, "logits", "next token"): values.numpy(),
        Point(0, "choice", "next token"): values.argmax(dim=-1).numpy(),
    }


def loss(case: Case, dtype: str) -> Trace:
    """The mean over the unmasked labels; of two processes it is the same."""
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        loss_sum, weight = summed_loss(weights.build(one, dtype), one.batch)
        for processes in extremes.processes(case):
            trace[Point(0, "loss", f"loss{name}{processes}")] = (loss_sum / weight).detach().numpy()
    return trace


def summed_loss(model, batch: Batch):
    """The cross entropy summed over the unmasked labels, and the number of these labels.

    Outside of the model: the loss that transformers computes casts float64 logits to float32.
    """
    labels = torch.from_numpy(batch["labels"])
    scores = _logits(model, batch).flatten(0, 1)  # (B * T, V)
    loss_sum = F.cross_entropy(scores, labels.flatten(), ignore_index=-100, reduction="sum")
    return loss_sum, (labels != -100).sum()


def _logits(model, batch: Batch) -> torch.Tensor:
    return model(torch.from_numpy(batch["input_ids"]), use_cache=False).logits
