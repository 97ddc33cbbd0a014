"""Training mode: gradients under shared dropout masks, and statistics of each side's own masks."""

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F

from parity import statistics
from parity.cases import DROPOUT, Case
from parity.compare import Point, Trace
from parity.torch_side import training, weights
from parity.torch_side.backward import gradient_trace
from parity.torch_side.forward import summed_loss

_DROPOUT = F.dropout


def masks(case: Case, dtype: str) -> dict[str, np.ndarray]:
    """Empty: Paddle's kernel accepts no mask, so torch applies the masks that Paddle draws."""
    return {}


def masked_step(case: Case, dtype: str) -> Trace:
    """Loss and gradients in training mode under the masks of `case.given`.

    They are applied as torch.nn.Dropout documents it: keep by the mask, divide by 1 - p.
    """
    names = iter(case.dropouts())

    def apply(values, p=0.5, training=True, inplace=False):
        kept = case.given.get(next(names), np.ones((), bool))
        return values * torch.from_numpy(kept) / (1.0 - p)

    model = weights.build(case, dtype).train()
    with patch.object(F, "dropout", apply):
        loss_sum, weight = summed_loss(model, case.batch)
    loss = loss_sum / weight
    loss.backward()
    return {Point(0, "loss", "loss"): loss.detach().numpy()} | gradient_trace(model)


def masks_of_run(case: Case, dtype: str) -> dict[str, np.ndarray]:
    """Empty, as `masks`."""
    return {}


def trained(case: Case, dtype: str) -> Trace:
    """Two steps in training mode in one process, under the masks of `case.given`."""
    case = case.begun()
    left = iter(case.given.values())

    def apply(values, p=0.5, training=True, inplace=False):
        kept = next(left, np.ones((), bool))
        return values * torch.from_numpy(kept) / (1.0 - p)

    model = weights.build(case, dtype)
    with patch.object(F, "dropout", apply):
        trace = training.run(case, model, *training.optimizer_and_scheduler(case, model))
    assert next(left, None) is None, "a mask was left over"
    return trace


def draws(case: Case, dtype: str) -> Trace:
    """Statistics of the masks of two steps of two micro batches, on two ranks and with two seeds.
    """
    passes = {f"seed {seed}, rank {rank}, {name}": own for seed, rank in ((7, 0), (7, 1), (8, 0))
              for name, own in _passes(case, dtype, seed, rank).items()}
    trace = statistics.mask_trace(passes, 1.0 - DROPOUT)
    again = _passes(case, dtype, 7, 0)
    for name, own in again.items():
        same = all(np.array_equal(own[k], passes[f"seed 7, rank 0, {name}"][k]) for k in own)
        trace[Point(0, "repeats", name)] = np.asarray(same)
    return trace


def _passes(case: Case, dtype: str, seed: int, rank: int) -> dict[str, statistics.Masks]:
    """The masks of each forward pass of two training steps."""
    model = weights.build(case, dtype).train()
    torch.manual_seed(10 * seed + rank)
    passes = {}
    for step, micro_batches in enumerate(case.steps[:2], start=1):
        for index, batch in enumerate(micro_batches):
            own: statistics.Masks = {}
            with patch.object(F, "dropout", _recording(own, case.dropouts())):
                summed_loss(model, batch)
            passes[f"step {step}, micro batch {index}"] = own
    return passes


def _recording(own: statistics.Masks, names: list[str]) -> Callable:
    left = iter(names)

    def record(values, p=0.5, training=True, inplace=False):
        dropped = _DROPOUT(values, p, training)
        own[next(left)] = statistics.mask(values.detach().numpy(), dropped.detach().numpy())
        return dropped

    return record
