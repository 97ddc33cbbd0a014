"""A training run with accumulation, clipping, weight decay groups and a schedule."""

import math

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR

from parity.cases import ADAMW, WEIGHT_DECAY, Case, clip_decisions, split_key_bias
from parity.cases.odd import odd
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.forward import summed_loss
from parity.torch_side.schedule import rate


def steps(case: Case, dtype: str) -> Trace:
    """Learning rate, loss and raw gradient norm of each step; updates and moments at snapshots."""
    model = weights.build(case.without_dropout(), dtype)
    trace = run(case, model, *optimizer_and_scheduler(case, model))
    return trace | clip_decisions(case, trace)


def odd_steps(case: Case, dtype: str) -> Trace:
    """The same for a model without round sizes and six micro batches."""
    return steps(odd(case), dtype)


def run(
    case: Case, model, optimizer, scheduler, stop: int | None = None, after=None, scaler=None,
    poison=lambda loss, step: loss,
) -> Trace:
    """Train from the scheduler's step up to step `stop`.

    after: called with the number of each finished step.
    poison: (loss, step) -> the loss to call backward() on.
    """
    scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
    model.train()
    trace: Trace = {}
    for step in range(scheduler.last_epoch + 1, (stop or len(case.steps)) + 1):
        optimizer.zero_grad()
        parts = [summed_loss(model, batch) for batch in case.steps[step - 1]]
        loss = sum(part for part, _ in parts) / sum(count for _, count in parts)
        scaler.scale(poison(loss, step)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), case.clip)
        trace[Point(step, "learning rate", "lr")] = np.asarray(optimizer.param_groups[0]["lr"])
        trace[Point(step, "loss curve", "loss")] = np.asarray(loss.item())
        if math.isfinite(norm):
            trace[Point(step, "norm curve", "raw gradient norm")] = np.asarray(float(norm))
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        if step in case.snapshots:
            trace |= _snapshot(step, case, model, optimizer)
        if after is not None:
            trace |= after(step)
    return trace


def optimizer_and_scheduler(case: Case, model) -> tuple[torch.optim.AdamW, LambdaLR]:
    """LambdaLR counts from 0 where PaddleNLP counts from 1."""
    optimizer = _optimizer(model)
    return optimizer, LambdaLR(optimizer, lambda epoch: rate(epoch + 1, case.schedule))


def _optimizer(model) -> torch.optim.AdamW:
    """Weight decay groups by name. paddle_impl groups by dimension, which must give the same."""
    groups = {True: [], False: []}
    for name, parameter in model.named_parameters():
        groups[name.endswith("weight") and ".ln_" not in name].append(parameter)
    return torch.optim.AdamW(
        [{"params": groups[True], "weight_decay": WEIGHT_DECAY},
         {"params": groups[False], "weight_decay": 0.0}],
        lr=1.0, betas=(ADAMW["beta1"], ADAMW["beta2"]), eps=ADAMW["epsilon"],
    )


def update(step: int, case: Case, name: str, now: np.ndarray) -> Trace:
    """What training has added to the parameter, without the key part of c_attn.bias."""
    kept, _ = split_key_bias(name, now.astype(np.float64) - case.weights[name])
    return {Point(step, "update", part): value for part, value in kept.items()}


def _snapshot(step: int, case: Case, model, optimizer) -> Trace:
    trace: Trace = {}
    powers = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        state = optimizer.state[parameter]
        moments, null = split_key_bias(name, state["exp_avg"].numpy().copy())
        trace |= {Point(step, "first moment", part): value for part, value in moments.items()}
        if null is not None:
            trace[Point(step, "null moment", f"{name}[key]")] = null
        squares, _ = split_key_bias(name, state["exp_avg_sq"].numpy().copy())
        trace |= {Point(step, "second moment", part): value for part, value in squares.items()}
        trace |= update(step, case, name, parameter.detach().numpy())
        # Paddle stores the powers that the next step will use.
        powers.append([ADAMW[beta] ** (float(state["step"]) + 1) for beta in ("beta1", "beta2")])
    trace[Point(step, "beta powers", "all parameters")] = np.array(powers)
    return trace
