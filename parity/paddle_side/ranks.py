"""Data parallel training: two ranks of one micro batch each are one process with both."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import paddle

from paddle_impl.distributed import Ranks
from parity.cases import MICRO_BATCHES, Case, clip_decisions
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """Rank r trains on micro batch r of every step; the trace is that of rank 0."""
    meeting = _Meeting(MICRO_BATCHES)
    with ThreadPoolExecutor(MICRO_BATCHES) as pool:
        ranks = [pool.submit(_train, case, dtype, meeting, rank) for rank in range(MICRO_BATCHES)]
        (trace, model), *others = [rank.result() for rank in ranks]
    trace |= clip_decisions(case, trace)
    for name, parameter in model.named_parameters():
        values = [dict(other.named_parameters())[name].numpy() for _, other in others]
        same = all(np.array_equal(parameter.numpy(), value) for value in values)
        trace[Point(len(case.steps), "ranks agree", name)] = np.asarray(same)
    return trace


def _train(case: Case, dtype: str, meeting: "_Meeting", rank: int):
    with meeting.turn:
        try:
            model = weights.build(case.without_dropout(), dtype)
            own = replace(case, steps=[micro[rank : rank + 1] for micro in case.steps])
            ranks = _Threads(rank, MICRO_BATCHES, meeting)
            return training.run(own, model, training.build_optimizer(model), ranks=ranks), model
        except BaseException:
            meeting.barrier.abort()  # or the others would wait for ever
            raise


class _Meeting:
    """Ranks as threads of which one computes at a time: collectives, without processes."""

    def __init__(self, size: int):
        self.turn = threading.Lock()
        self.barrier = threading.Barrier(size)
        self.brought: dict[int, list[np.ndarray]] = {}

    def sums(self, rank: int, arrays: list[np.ndarray]) -> list[np.ndarray]:
        self.brought[rank] = arrays
        self._wait()
        in_order = [self.brought[rank] for rank in sorted(self.brought)]
        sums = [sum(parts) for parts in zip(*in_order, strict=True)]
        self._wait()
        return sums

    def _wait(self) -> None:
        self.turn.release()
        try:
            self.barrier.wait()
        finally:
            self.turn.acquire()


@dataclass(frozen=True)
class _Threads(Ranks):
    """Ranks whose sum goes through the meeting; `total` is built on it, as with processes."""

    meeting: _Meeting = field(default=None)

    def sum_(self, tensors: list[paddle.Tensor]) -> None:
        sums = self.meeting.sums(self.rank, [tensor.numpy() for tensor in tensors])
        for tensor, value in zip(tensors, sums, strict=True):
            tensor.set_value(value)
