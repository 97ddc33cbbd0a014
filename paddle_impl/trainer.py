"""The training loop. Tasks, data and records are arguments; there is no second loop."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import paddle

from paddle_impl.data.loader import Batch, PretrainLoader
from paddle_impl.distributed import Ranks
from paddle_impl.optim import clip_grad_norm


@dataclass(frozen=True)
class Schedule:
    """When things happen, in optimizer steps counted from 1."""

    max_steps: int
    logging_freq: int
    eval_freq: int
    save_steps: int
    learning_rate: Callable[[int], float]


@dataclass
class Trainer:
    model: paddle.nn.Layer
    optimizer: paddle.optimizer.Optimizer
    objective: Callable
    loader: PretrainLoader
    schedule: Schedule
    grad_clip: float
    seed: int
    ranks: Ranks
    log: Callable[[dict], None]
    evaluate: Callable[[int], None]
    save: Callable[[int], None]

    def train(self, start_step: int) -> None:
        """Steps start_step + 1 to max_steps; FloatingPointError before a non-finite update."""
        self.model.train()
        window, seconds = 0, 0.0  # of steps alone: evaluations and checkpoints are no part of speed
        for step in range(start_step + 1, self.schedule.max_steps + 1):
            began = time.perf_counter()
            micro_batches = self.loader.step(step - 1)
            lr = self.schedule.learning_rate(step)
            loss, norm = self.step(step, micro_batches, lr)
            window, seconds = window + 1, seconds + time.perf_counter() - began
            if step % self.schedule.logging_freq == 0 or step == self.schedule.max_steps:
                self.log({"step": step, "loss": loss, "lr": lr, "grad_norm": norm,
                          "steps_per_s": window / seconds})
                window, seconds = 0, 0.0
            if step % self.schedule.eval_freq == 0:
                self.evaluate(step)
            if step % self.schedule.save_steps == 0 or step == self.schedule.max_steps:
                self.save(step)

    def step(self, step: int, micro_batches: list[Batch], lr: float) -> tuple[float, float]:
        """One optimizer step: the global mean loss and the gradient norm before clipping."""
        own_weight = sum(float(batch["loss_mask"].sum(dtype=np.float64)) for batch in micro_batches)
        (weight,) = self.ranks.data.total(own_weight)
        loss = 0.0
        for index, batch in enumerate(micro_batches):
            # Dropout's stream is a function of where we are, so a resumed run draws the same.
            paddle.seed(dropout_seed(self.seed, step, index, self.ranks.data.rank))
            loss_sum, _ = self.objective(self.model, to_tensors(batch))
            # A step whose every label is masked has weight 0, loss 0 and gradient 0.
            (loss_sum / max(weight, 1.0)).backward()
            loss += float(loss_sum) / max(weight, 1.0)
        parameters = self.model.parameters()
        self.ranks.data.sum_([p.grad for p in parameters if p.grad is not None])
        (loss,) = self.ranks.data.total(loss)
        norm = clip_grad_norm(parameters, self.grad_clip)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"step {step}: loss {loss}, gradient norm {norm}; stopped before the update"
            )
        self.optimizer.set_lr(lr)
        self.optimizer.step()
        self.optimizer.clear_grad()
        return loss, norm


@paddle.no_grad()
def mean_loss(model, objective, batches, ranks: Ranks) -> float:
    """Loss over all unmasked labels of the batches of all processes, dropout off."""
    model.eval()
    loss_sum = weight = 0.0
    for batch in batches:
        batch_sum, batch_weight = objective(model, to_tensors(batch))
        loss_sum += float(batch_sum)
        weight += float(batch_weight)
    model.train()
    loss_sum, weight = ranks.data.total(loss_sum, weight)
    return loss_sum / weight if weight else math.nan


def to_tensors(batch: Batch) -> dict[str, paddle.Tensor]:
    return {name: paddle.to_tensor(array) for name, array in batch.items()}


def dropout_seed(seed: int, step: int, micro_batch: int, rank: int) -> int:
    """A 31-bit seed of its own for every forward pass of the job."""
    return int(np.random.SeedSequence([seed, step, micro_batch, rank]).generate_state(1)[0] >> 1)
