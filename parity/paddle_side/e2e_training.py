"""Label smoothing, the legacy AdamW and microsoft/LoRA's schedules, as a run has them by its flags.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.finetuning.label_smoothing import label_smoothed
from paddle_impl.optim.choice import chosen_optimizer
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.optim.precision import FULL
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import to_tensors
from parity.cases import Case, clip_decisions, e2e_training, extremes, split_key_bias
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.backward import gradient_trace


def smoothed(case: Case, dtype: str) -> Trace:
    """The smoothed loss in one process and in several, and the gradients of one."""
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        for epsilon in e2e_training.EPSILONS:
            for size in e2e_training.PROCESSES:
                at = f"{epsilon}{name}, {size} processes"
                work = partial(_smoothed_loss, one, dtype, epsilon)
                (found, *_) = meeting.run(size, work, model=size)
                trace |= {point._replace(tensor=f"{at}: {point.tensor}"): value
                          for point, value in found.items()}
    return trace


def _smoothed_loss(case: Case, dtype: str, epsilon: float, ranks: Ranks) -> Trace:
    model, objective = weights.build_share(case, dtype, ranks.model), label_smoothed(epsilon)
    total, metrics = objective.loss(model, to_tensors(case.batch))
    loss = total / objective.weight(case.batch)
    loss.backward()
    plain, count = metrics["cross_entropy"]
    trace: Trace = {Point(0, "loss", "smoothed"): loss.numpy(),
                    Point(0, "loss", "cross entropy"): (plain / count).numpy()}
    return trace | (gradient_trace(model) if ranks.model.size == 1 else {
        Point(0, "gradient", name): model.parts.whole(name, value.grad)
        for name, value in model.named_parameters() if name.endswith("wte.weight")})


def legacy(case: Case, dtype: str) -> Trace:
    """Curves of each run; updates and moments at snapshots."""
    trace: Trace = {}
    for what, (flags, own) in e2e_training.runs(case).items():
        model = weights.build(own, dtype)
        optimizer = chosen_optimizer(
            OptimizerOptions.of(**flags), model, learning_rate=1.0, ranks=Ranks(), precision=FULL,
            stage=1)
        states: Trace = {}

        def after(step, own=own, model=model, optimizer=optimizer, states=states) -> None:
            if step in own.snapshots:
                states.update(_snapshot(step, own, model, optimizer))

        found = training.run(replace(own, snapshots=()), model, optimizer, after=after) | states
        found |= clip_decisions(own, found)
        trace |= {point._replace(tensor=f"{what}: {point.tensor}"): value
                  for point, value in found.items()}
    return trace


def _snapshot(step: int, case: Case, model, optimizer) -> Trace:
    state, trace = optimizer.state(), {}
    for name, parameter in model.named_parameters():
        for slot, phase in (("moment1", "first moment"), ("moment2", "second moment")):
            kept, _ = split_key_bias(name, state[f"{name}.{slot}"])
            trace |= {Point(step, phase, part): value for part, value in kept.items()}
        trace |= training.update(step, case, name, parameter.numpy())
    return trace


def rates(case: Case, dtype: str) -> Trace:
    """Every schedule at each step of a run and after it."""
    trace: Trace = {}
    for what, (flags, steps) in e2e_training.schedules().items():
        schedule = schedule_of(ScheduleOptions.of(**flags), steps)
        trace[Point(0, "learning rate", what)] = np.array([
            schedule.learning_rate(step) for step in range(1, steps + e2e_training.BEYOND + 1)])
    return trace
