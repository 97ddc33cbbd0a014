"""The training loop, the only one. What differs between tasks is an argument."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import paddle

from paddle_impl.data.batch import Batch
from paddle_impl.objectives import Metrics, Objective, mean
from paddle_impl.optim.optimizer import Optimizer
from paddle_impl.optim.precision import LossScaler
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import Totals, to_tensors
from paddle_impl.training.nonfinite import (
    NoGradientError,
    NonFiniteError,
    first_bad_tensor,
    where,
)
from paddle_impl.training.task import Loader


@dataclass(frozen=True)
class Cadence:
    """How many steps there are, the steps between logs, evaluations and checkpoints, and the
    learning rate of each step. Steps are optimizer steps, counted from 1.
    """

    max_steps: int
    logging_freq: int
    eval_freq: int
    save_steps: int
    learning_rate: Callable[[int], float]


@dataclass
class Trainer:
    """The loop and what it calls.

    log: gets a record of the last steps. evaluate: (step) -> True to end the run; called at the
    last step too. save: (step) writes a checkpoint, always one at the end.
    stop: called at the start of every step; True in any process ends the run in all processes,
    after the step and a checkpoint.
    stepped: called after every step; True, which all processes must return alike, ends the run.
    event: gets (step, kind, message) for the user, such as about a skipped update.
    keep_evidence: gets (step, kind, message) before one of nonfinite.py's errors is raised.
    may_rest: whether a loss of 0 may have no gradient, as where every margin of a hinge is reached.
    """

    model: paddle.nn.Layer
    optimizer: Optimizer
    objective: Objective
    loader: Loader
    cadence: Cadence
    grad_clip: float
    seed: int
    ranks: Ranks
    log: Callable[[dict], None]
    evaluate: Callable[[int], bool | None]
    save: Callable[[int], None]
    stop: Callable[[], bool] = lambda: False
    stepped: Callable[[], bool] = lambda: False
    event: Callable[[int, str, str], None] = lambda step, kind, message: None
    keep_evidence: Callable[[int, str, str], None] = lambda step, kind, message: None
    scaler: LossScaler = field(default_factory=LossScaler.off)
    skip_nonfinite: int = 0  # updates that may be skipped, over the whole run
    skipped: int = 0
    may_rest: bool = False
    stopping: bool = False

    def train(self, start_step: int) -> int:
        """Take steps start_step + 1 to max_steps, or fewer if told to stop; returns the last one.

        NonFiniteError before an update that is not finite, unless it may be skipped;
        NoGradientError before one without any gradient, though labels count in its loss.
        """
        self.model.train()
        window, seconds = 0, 0.0  # time of steps, without evaluations and checkpoints
        for step in range(start_step + 1, self.cadence.max_steps + 1):
            began = time.perf_counter()
            micro_batches = self.loader.step(step - 1)
            lr = self.cadence.learning_rate(step)
            loss, norm, metrics = self.step(step, micro_batches, lr)
            window, seconds = window + 1, seconds + time.perf_counter() - began
            ends = self.stopping or step == self.cadence.max_steps
            if step % self.cadence.logging_freq == 0 or ends:
                own = {"step": step, "loss": loss, "lr": lr, "grad_norm": norm,
                       "steps_per_s": window / seconds}
                assert not own.keys() & metrics.keys(), f"reserved names among {metrics.keys()}"
                self.log(own | metrics)
                window, seconds = 0, 0.0
            due = step % self.cadence.eval_freq == 0 or step == self.cadence.max_steps
            if due and self.evaluate(step):
                ends = True
            ends |= self.stepped()
            if step % self.cadence.save_steps == 0 or ends:
                self.save(step)
            if ends:
                return step
        return start_step

    def step(
        self, step: int, micro_batches: list[Batch], lr: float
    ) -> tuple[float, float, dict[str, float]]:
        """One optimizer step: global mean loss, gradient norm before clipping, global metrics."""
        own_weight = float(sum(map(self.objective.weight, micro_batches)))
        weight, stop = self.ranks.world.total(own_weight, float(self.stop()))
        weight /= self.ranks.model.size  # its processes read the same labels
        self.stopping |= stop > 0
        loss, totals = 0.0, Totals()
        for index, batch in enumerate(micro_batches):
            loss_sum, metrics = self._forward(step, index, batch)
            self.scaler.scaled(mean(loss_sum, weight)).backward()
            loss += mean(float(loss_sum), weight)
            totals.add(metrics)
        self.optimizer.reduce_gradients()
        (loss,) = self.ranks.data.total(loss)
        self.scaler.unscale_(self.optimizer.gradients())
        norm = self.optimizer.clip_gradients(self.grad_clip)
        if norm == 0.0 and weight and not (self.may_rest and loss == 0.0):
            self._check_gradients(step, loss)
        self.optimizer.set_lr(lr)
        if math.isfinite(loss) and math.isfinite(norm):
            self.optimizer.step()
        else:
            self._leave_out(step, micro_batches, loss, norm)
        self.scaler.update(math.isfinite(norm))
        self.optimizer.clear_grad()
        return loss, norm, totals.means(self.ranks.data)

    def _forward(self, step: int, index: int, batch: Batch) -> tuple[paddle.Tensor, Metrics]:
        # The seed of dropout depends on the step, so that a resumed run draws the same masks.
        paddle.seed(dropout_seed(self.seed, step, index, self.ranks.data.rank))
        return self.objective.loss(self.model, to_tensors(batch))

    def _check_gradients(self, step: int, loss: float) -> None:
        """NoGradientError unless a gradient is not zero; the squares of small ones are zero."""
        # Not `!= 0.0`: Paddle takes numbers for equal that differ by less than 1e-8.
        own = any(float(gradient.abs().max()) > 0.0 for gradient in self.optimizer.gradients())
        if any(self.ranks.world.total(float(own))):
            return
        self.optimizer.clear_grad()
        trained = [weight.name for weight in self.optimizer.share.weights]
        found = (f"step {step}: loss {loss}, but every gradient of the {len(trained)} trainable "
                 f"parameters ({trained[0]}, ...) is zero: look whether the loss depends on them, "
                 f"and at {self.loader.describe(step - 1, 0)}")
        self.keep_evidence(step, "no gradient", found)
        raise NoGradientError(f"{found}; stopped before the update")

    def _leave_out(self, step: int, micro_batches: list[Batch], loss: float, norm: float) -> None:
        """Handle an update that is not finite: as an overflow of the loss scale or as a skipped
        update, else with a NonFiniteError.
        """
        if math.isfinite(loss) and self.scaler.overflows():
            self.event(step, "overflow", f"gradients overflow at loss scale {self.scaler.scale:g}: "
                                         "no update, the scale is halved")
            return
        self.optimizer.clear_grad()
        own = None
        with self.optimizer.without_sharding():
            for index, batch in enumerate(micro_batches):
                forward = partial(self._forward, step, index, batch)
                own = first_bad_tensor(self.model, lambda forward=forward: forward()[0])
                if own is not None:
                    own += f" in micro batch {index}, {self.loader.describe(step - 1, index)}"
                if any(self.ranks.model.total(float(own is not None))):  # all or none go on
                    break
        found = f"step {step}: loss {loss}, gradient norm {norm}; {where(self.ranks, own)}"
        self.skipped += 1
        if self.skipped <= self.skip_nonfinite:
            self.event(step, "skipped", f"{found}; no update, {self.skipped} of "
                                        f"{self.skip_nonfinite} left out")
            return
        self.keep_evidence(step, "not finite", found)
        raise NonFiniteError(f"{found}; stopped before the update")


def dropout_seed(seed: int, step: int, micro_batch: int, rank: int) -> int:
    """A 31-bit seed, different for every forward pass of the job."""
    return int(np.random.SeedSequence([seed, step, micro_batch, rank]).generate_state(1)[0] >> 1)
