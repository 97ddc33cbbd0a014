"""A training run with accumulation, clipping, weight decay groups and a schedule."""

import math

import numpy as np

from paddle_impl import objectives
from paddle_impl.optim import adamw
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.trainer import Cadence, Trainer
from parity.cases import ADAMW, WEIGHT_DECAY, Case, clip_decisions, split_key_bias
from parity.cases.odd import odd
from parity.compare import Point, Trace
from parity.paddle_side import weights
from parity.paddle_side.schedule import rate

_ALONE = Ranks()


def steps(case: Case, dtype: str) -> Trace:
    """Learning rate, loss and raw gradient norm of each step; updates and moments at snapshots."""
    model = weights.build(case.without_dropout(), dtype)
    trace = run(case, model, build_optimizer(model))
    return trace | clip_decisions(case, trace)


def odd_steps(case: Case, dtype: str) -> Trace:
    """The same for a model without round sizes and six micro batches."""
    return steps(odd(case), dtype)


def run(
    case: Case, model, optimizer, start: int = 0, stop: int | None = None, ranks: Ranks = _ALONE,
    after=lambda step: None, **trainer,
) -> Trace:
    """Steps start + 1 to stop by Trainer.train, whose step numbers are compared too.

    after: called with the number of each finished step. trainer: further arguments of Trainer.
    """
    trace: Trace = {}
    stop = stop or len(case.steps)

    def log(record: dict) -> None:
        step = record["step"]
        trace[Point(step, "learning rate", "lr")] = np.asarray(optimizer.get_lr())
        trace[Point(step, "loss curve", "loss")] = np.asarray(record["loss"])
        if math.isfinite(record["grad_norm"]):
            norm = np.asarray(record["grad_norm"])
            trace[Point(step, "norm curve", "raw gradient norm")] = norm

    def save(step: int) -> None:
        after(step)
        if step in case.snapshots:
            trace.update(_snapshot(step, case, model, optimizer))

    trainer = {"objective": objectives.CAUSAL_LM} | trainer
    Trainer(
        model=model, optimizer=optimizer,
        loader=Recorded(case.steps), grad_clip=case.clip, seed=0, ranks=ranks,
        cadence=Cadence(
            max_steps=stop, logging_freq=1, eval_freq=stop + 1, save_steps=1,
            learning_rate=lambda step: rate(step, case.schedule),
        ),
        log=log, evaluate=lambda step: None, save=save, **trainer,
    ).train(start_step=start)
    return trace


def build_optimizer(model, ranks: Ranks = _ALONE, **more):
    """The optimizer with learning rate 1, which would show if the trainer did not set the rate."""
    return adamw.build_optimizer(
        model, learning_rate=1.0, weight_decay=WEIGHT_DECAY, ranks=ranks, **ADAMW, **more
    )


def whole(model, optimizer) -> dict[str, np.ndarray]:
    """Every whole parameter, gathered from the processes' shares."""
    with optimizer.without_sharding():
        return {name: model.parts.whole(name, value)
                for name, value in model.named_parameters()}


class Recorded:
    """Gives the trainer fixed micro batches, with PretrainLoader's interface."""

    def __init__(self, steps):
        self.step = steps.__getitem__

    def describe(self, index: int, micro: int) -> str:
        return f"recorded step {index + 1}, micro batch {micro}"


def update(step: int, case: Case, name: str, now: np.ndarray) -> Trace:
    """What training has added to the parameter, without the key part of c_attn.bias."""
    kept, _ = split_key_bias(name, now.astype(np.float64) - case.weights[name])
    return {Point(step, "update", part): value for part, value in kept.items()}


def _snapshot(step: int, case: Case, model, optimizer) -> Trace:
    state = optimizer.state()
    trace: Trace = {}
    powers = []
    frozen = {name for name, value in model.named_parameters() if value.stop_gradient}
    for name, values in whole(model, optimizer).items():
        if name in frozen:
            continue
        moments, null = split_key_bias(name, state[f"{name}.moment1"])
        trace |= {Point(step, "first moment", part): value for part, value in moments.items()}
        if null is not None:
            trace[Point(step, "null moment", f"{name}[key]")] = null
        squares, _ = split_key_bias(name, state[f"{name}.moment2"])
        trace |= {Point(step, "second moment", part): value for part, value in squares.items()}
        trace |= update(step, case, name, values)
        powers.append([float(state[f"{name}.beta{n}_pow_acc"][0]) for n in (1, 2)])
    trace[Point(step, "beta powers", "all parameters")] = np.array(powers)
    return trace
