"""Runs the processes of a distributed job as threads of this process, one computing at a time.

The functions of paddle.distributed that the project calls are replaced by exchanges between the
threads. Groups and the order of calls are the trainer's own. A bug that is planted in this process
is in all of the job's.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar
from unittest.mock import patch

import numpy as np
import paddle

from paddle_impl.parallel.ranks import Ranks, grid

Made = TypeVar("Made")


def run(
    size: int, work: Callable[[Ranks], Made], sharding: int = 1, model: int = 1
) -> list[Made]:
    """The results of work(ranks) of every process, by rank. The first error of any is raised."""
    job = _Job(size, sharding, model)
    calls = {"all_reduce": job.all_reduce, "broadcast": job.broadcast, "all_gather": job.all_gather}
    with ExitStack() as stack:
        for name, call in calls.items():
            stack.enter_context(patch.object(paddle.distributed, name, call))
        pool = stack.enter_context(ThreadPoolExecutor(size))
        futures = [pool.submit(job.process, rank, work) for rank in range(size)]
        errors = [future.exception() for future in futures]
        # After the first error the other threads fail with BrokenBarrierError.
        own = [e for e in errors if e and not isinstance(e, threading.BrokenBarrierError)]
        for error in [*own, *filter(None, errors)]:
            raise error
        return [future.result() for future in futures]


class _Job:
    def __init__(self, size: int, sharding: int, model: int):
        self.turn = threading.Lock()
        self.here = threading.local()
        self.shape = (size, sharding, model)
        self.tables = {None: _Table(size)}

    def process(self, rank: int, work: Callable[[Ranks], Made]) -> Made:
        with self.turn:
            ranks = grid(rank, *self.shape, connect=self._connect)
            self.here.places = {group.handle: group.rank for group in vars(ranks).values()
                                if group.size > 1}
            try:
                return work(ranks)
            except BaseException:
                for table in self.tables.values():
                    table.barrier.abort()  # otherwise the others would wait for ever
                raise

    def _connect(self, members: tuple[int, ...]) -> tuple[int, ...]:
        self.tables.setdefault(members, _Table(len(members)))
        return members

    def all_reduce(self, tensor, op=paddle.distributed.ReduceOp.SUM, group=None) -> None:
        brought = self._meet(tensor, group)
        largest = op == paddle.distributed.ReduceOp.MAX
        together = np.maximum.reduce(brought) if largest else sum(brought)
        tensor.set_value(together)

    def broadcast(self, tensor, src: int, group=None) -> None:
        members = range(self.shape[0]) if group is None else group
        tensor.set_value(self._meet(tensor, group)[members.index(src)])

    def all_gather(self, tensors: list, tensor, group=None) -> None:
        tensors += [paddle.to_tensor(value) for value in self._meet(tensor, group)]

    def _meet(self, tensor: paddle.Tensor, group) -> list[np.ndarray]:
        """The tensors of all members of the group, in the order of their ranks."""
        table = self.tables[group]
        table.brought[self.here.places[group]] = tensor.numpy()
        self._wait(table)
        brought = list(table.brought)
        self._wait(table)
        return brought

    def _wait(self, table: "_Table") -> None:
        draws = paddle.get_rng_state()  # each process has a random state of its own
        self.turn.release()
        try:
            table.barrier.wait()
        finally:
            self.turn.acquire()
            paddle.set_rng_state(draws)


class _Table:
    def __init__(self, size: int):
        self.barrier = threading.Barrier(size)
        self.brought: list = [None] * size
