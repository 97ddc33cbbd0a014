"""A tensor parallel group whose processes are threads, one computing at a time, and a model for it.

Exchanges between threads replace those over the network. Each thread has its own random state.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import paddle

from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM
from paddle_impl.objectives import causal_lm
from paddle_impl.parallel.ranks import Group
from paddle_impl.parallel.tensor import Parts

Made = TypeVar("Made")


def together(size: int, work: Callable[[Parts], Made]) -> list[Made]:
    """The results of work(parts) of every process, in order; the first error of any is raised."""
    table = Table(size)
    members = tuple(range(size))

    def process(rank: int) -> Made:
        with table.turn:
            try:
                return work(Parts(ThreadGroup(rank, members, None, table)))
            except BaseException:
                table.barrier.abort()  # otherwise the others would wait for ever
                raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(process, rank) for rank in members]
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error
    return [future.result() for future in futures]


class Table:
    """Where each thread puts its tensor, and reads the others' tensors when all have come."""

    def __init__(self, size: int):
        self.turn = threading.Lock()
        self.barrier = threading.Barrier(size)
        self.brought: list[Any] = [None] * size

    def meet(self, rank: int, brought: np.ndarray) -> list[np.ndarray]:
        self.brought[rank] = brought
        self._wait()
        found = list(self.brought)
        self._wait()
        return found

    def _wait(self) -> None:
        random = paddle.get_rng_state()
        self.turn.release()
        try:
            self.barrier.wait()
        finally:
            self.turn.acquire()
            paddle.set_rng_state(random)


@dataclass(frozen=True)
class ThreadGroup(Group):
    table: Any = None

    def all_reduce_(self, tensors):
        for tensor in tensors:
            tensor.set_value(sum(self.table.meet(self.rank, tensor.numpy())))

    def all_reduce_max_(self, tensor):
        tensor.set_value(np.maximum.reduce(self.table.meet(self.rank, tensor.numpy())))

    def broadcast_(self, tensor, source):
        tensor.set_value(self.table.meet(self.rank, tensor.numpy())[source])

    def gather(self, tensor):
        return [paddle.to_tensor(array) for array in self.table.meet(self.rank, tensor.numpy())]


# 53 tokens leave uneven shares; three dropouts, so that the masks must agree too.
CONFIG = ModelConfig(n_layer=2, n_embd=32, n_head=4, vocab_size=53, n_positions=24, n_inner=48)
RANDOM = np.random.default_rng(0)
BATCH = {
    "input_ids": RANDOM.integers(0, 53, (3, 16)),
    "labels": RANDOM.integers(0, 53, (3, 16)),
}
BATCH["labels"][RANDOM.random((3, 16)) <= 0.3] = -100
# Large enough for every branch to bend the loss; no bias is zero, no gain one.
WEIGHTS = {name: RANDOM.standard_normal(shape) * 0.2 + (".ln_" in name and "weight" in name)
           for name, shape in GPTForCausalLM(CONFIG).whole_shapes().items()}


def build(parts: Parts, config: ModelConfig = CONFIG) -> GPTForCausalLM:
    model = GPTForCausalLM(config, parts)
    hugging_face.load_weights(model, WEIGHTS)
    return model


def step(parts: Parts, config: ModelConfig = CONFIG):
    """The loss and the gradients of this process's shares, dropout on."""
    model = build(parts, config)
    model.train()
    paddle.seed(5)
    loss, _ = causal_lm(model, {name: paddle.to_tensor(array) for name, array in BATCH.items()})
    loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters()}


def entire(parts: Parts):
    loss, gradients = step(parts)
    return loss, {name: parts.whole(name, g) for name, g in gradients.items()}
