"""Data parallel training: two ranks of one micro batch each are one process with both."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import paddle

from paddle_impl.distributed import grid
from parity.cases import MICRO_BATCHES, Case, clip_decisions
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """Rank r trains on micro batch r of every step; the trace is that of rank 0.

    Ranks are threads of which one computes at a time, so only all_reduce is not Paddle's own.
    """
    meeting = _Meeting(MICRO_BATCHES)
    with ThreadPoolExecutor(MICRO_BATCHES) as pool, \
            patch.object(paddle.distributed, "all_reduce", meeting.all_reduce):
        ranks = [pool.submit(_train, case, dtype, meeting, rank) for rank in range(MICRO_BATCHES)]
        (trace, model), *others = [rank.result() for rank in ranks]
    trace |= clip_decisions(case, trace)
    for name, parameter in model.named_parameters():
        values = [dict(other.named_parameters())[name].numpy() for _, other in others]
        same = all(np.array_equal(parameter.numpy(), value) for value in values)
        trace[Point(len(case.steps), "ranks agree", name)] = np.asarray(same)
    return trace


def _train(case: Case, dtype: str, meeting: "_Meeting", rank: int):
    meeting.here.rank = rank
    with meeting.turn:
        try:
            model = weights.build(case.without_dropout(), dtype)
            own = replace(case, steps=[micro[rank : rank + 1] for micro in case.steps])
            optimizer = training.build_optimizer(model)
            return training.run(own, model, optimizer, ranks=grid(rank, MICRO_BATCHES)), model
        except BaseException:
            meeting.barrier.abort()  # or the others would wait for ever
            raise


class _Meeting:
    """all_reduce between threads: each brings its tensor and leaves with the sum."""

    def __init__(self, size: int):
        self.turn = threading.Lock()
        self.barrier = threading.Barrier(size)
        self.here = threading.local()
        self.brought: dict[int, np.ndarray] = {}

    def all_reduce(self, tensor: paddle.Tensor, group=None) -> None:
        self.brought[self.here.rank] = tensor.numpy()
        self._wait()
        total = sum(self.brought[rank] for rank in sorted(self.brought))
        self._wait()
        tensor.set_value(total)

    def _wait(self) -> None:
        self.turn.release()
        try:
            self.barrier.wait()
        finally:
            self.turn.acquire()
