"""Label smoothing by torch; the legacy AdamW and microsoft/LoRA's schedules, restated from their
formulas. They share no code with paddle_impl.
"""

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR

from parity.cases import Case, clip_decisions, e2e_training, extremes, split_key_bias
from parity.compare import Point, Trace
from parity.torch_side import training, weights
from parity.torch_side.backward import gradient_trace
from parity.torch_side.schedule import rate


def smoothed(case: Case, dtype: str) -> Trace:
    """The smoothed loss, whatever the number of processes, and its gradients."""
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        for epsilon in e2e_training.EPSILONS:
            model = weights.build(one, dtype)
            labels = torch.from_numpy(one.batch["labels"]).flatten()
            logits = model(torch.from_numpy(one.batch["input_ids"]), use_cache=False).logits
            loss, plain = (
                F.cross_entropy(logits.flatten(0, 1), labels, ignore_index=-100,
                                label_smoothing=smoothing) for smoothing in (epsilon, 0.0))
            loss.backward()
            found = {Point(0, "loss", "smoothed"): loss.detach().numpy(),
                     Point(0, "loss", "cross entropy"): plain.detach().numpy()}
            embedding = "transformer.wte.weight"
            gradients = gradient_trace(model)
            for size in e2e_training.PROCESSES:
                own = gradients if size == 1 else {
                    Point(0, "gradient", embedding): gradients[Point(0, "gradient", embedding)]}
                trace |= {
                    point._replace(tensor=f"{epsilon}{name}, {size} processes: {point.tensor}"):
                    value for point, value in (found | own).items()}
    return trace


def legacy(case: Case, dtype: str) -> Trace:
    """Curves of each run; updates and moments at snapshots."""
    trace: Trace = {}
    for what, (flags, own) in e2e_training.runs(case).items():
        model = weights.build(own, dtype)
        optimizer = _Legacy(model, flags)
        scheduler = LambdaLR(optimizer, lambda epoch, own=own: rate(epoch + 1, own.schedule))
        states: Trace = {}

        def after(step, own=own, model=model, optimizer=optimizer, states=states) -> Trace:
            if step in own.snapshots:
                states.update(_snapshot(step, own, model, optimizer))
            return {}

        found = training.run(replace(own, snapshots=()), model, optimizer, scheduler,
                             after=after)
        found |= states | clip_decisions(own, found)
        trace |= {point._replace(tensor=f"{what}: {point.tensor}"): value
                  for point, value in found.items()}
    return trace


class _Legacy(torch.optim.Optimizer):
    """Adam (Kingma & Ba 2015, the efficient form of section 2) in numpy, and a decay behind it."""

    def __init__(self, model, flags: dict):
        self.named = list(model.named_parameters())
        super().__init__([value for _, value in self.named], {"lr": 1.0})
        self.flags, self.count = flags, 0
        self.moments = {name: [np.zeros(value.shape), np.zeros(value.shape)]
                        for name, value in self.named}

    @torch.no_grad()
    def step(self, closure=None):
        (group,), flags = self.param_groups, self.flags
        self.count += 1
        for name, parameter in self.named:
            gradient = parameter.grad.numpy().astype(np.float64)
            for moment, beta, power in zip(
                    self.moments[name], (flags["adam_beta1"], flags["adam_beta2"]), (1, 2),
                    strict=True):
                moment[...] = beta * moment + (1 - beta) * gradient**power
            first, second = self.moments[name]
            rate = group["lr"]
            if flags.get("correct_bias", True):
                rate *= (1 - flags["adam_beta2"] ** self.count) ** 0.5
                rate /= 1 - flags["adam_beta1"] ** self.count
            after = parameter.numpy() - rate * first / (second**0.5 + flags["adam_epsilon"])
            decays = name.endswith("weight") and ".ln_" not in name
            if decays or not flags.get("no_decay_bias", True):
                after = after - group["lr"] * flags["weight_decay"] * after
            parameter.copy_(torch.from_numpy(after))


def _snapshot(step: int, case: Case, model, optimizer: _Legacy) -> Trace:
    trace: Trace = {}
    for name, parameter in model.named_parameters():
        for phase, moment in zip(("first moment", "second moment"), optimizer.moments[name],
                                 strict=True):
            kept, _ = split_key_bias(name, moment.copy())
            trace |= {Point(step, phase, part): value for part, value in kept.items()}
        trace |= training.update(step, case, name, parameter.detach().numpy())
    return trace


def rates(case: Case, dtype: str) -> Trace:
    """Every schedule at each step of a run and after it."""
    trace: Trace = {}
    for what, (flags, steps) in e2e_training.schedules().items():
        first = flags.get("first_step", 0)
        indices = range(first, first + steps + e2e_training.BEYOND)
        make = _cosine if flags["scheduler"] == "lora_cosine" else _cycle
        trace[Point(0, "learning rate", what)] = np.array(
            [make(index, flags, steps) for index in indices])
    return trace


def _cosine(index: int, flags: dict, steps: int) -> float:
    """Half a wave over all steps, in whose place a line stands during the warm-up."""
    warmup = flags.get("warmup_steps", math.ceil(steps * flags.get("warmup_ratio", 0)))
    if index < max(1, warmup):  # at index 0 the rate is 0 without a warm-up too
        return flags["max_lr"] * index / max(1, warmup)
    return flags["max_lr"] * math.cos(math.pi / 2 * min(index / steps, 1.0)) ** 2


def _cycle(index: int, flags: dict, steps: int) -> float:
    marks = [int(word) for word in flags["i_steps"].split(",")]
    rates = [float(word) for word in flags["i_lrs"].split(",")]
    passed = sum(mark <= index for mark in marks)
    if passed == len(marks):
        return rates[-1]
    before, behind = rates[passed - 1], rates[passed]
    length = marks[passed] - marks[passed - 1] + 1e-6
    return before + (behind - before) * (index - marks[passed - 1]) / length
