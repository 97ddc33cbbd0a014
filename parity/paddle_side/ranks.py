"""Training in several processes, which must compute the same as one process."""

from dataclasses import replace

import numpy as np

from paddle_impl.parallel.ranks import Ranks
from parity.cases import MICRO_BATCHES, Case, clip_decisions
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights


def steps(case: Case, dtype: str) -> Trace:
    """Two data parallel ranks of one micro batch each."""
    return _train(case, dtype, size=2)


def sharded(case: Case, dtype: str) -> Trace:
    """Two data parallel ranks, each with the optimizer state of half of the parameters."""
    return _train(case.shortened(), dtype, size=2, sharding=2)


def split(case: Case, dtype: str) -> Trace:
    """Two tensor parallel ranks: each has half of every matrix and takes both micro batches."""
    return _train(case.shortened(), dtype, size=2, model=2)


def grid(case: Case, dtype: str) -> Trace:
    """Four ranks: sharding of two, tensor parallel of two, and recomputed blocks."""
    return _train(case.shortened(), dtype, size=4, sharding=2, model=2, recompute=True)


def _train(case: Case, dtype: str, size: int, recompute: bool = False, **shape) -> Trace:
    """Each rank takes its share of every step's micro batches; the trace is that of rank 0."""
    case = case.without_dropout()

    def work(ranks: Ranks):
        model = weights.build_share(case, dtype, ranks.model)
        model.recompute = recompute
        share = MICRO_BATCHES // ranks.data.size
        first = share * ranks.data.rank
        own = replace(case, steps=[micro[first : first + share] for micro in case.steps])
        optimizer = training.build_optimizer(model, ranks)
        return training.run(own, model, optimizer, ranks=ranks), training.whole(model)

    (trace, values), *others = meeting.run(size, work, **shape)
    trace |= clip_decisions(case, trace)
    for name, value in values.items():
        same = all(np.array_equal(value, other[name]) for _, other in others)
        trace[Point(len(case.steps), "ranks agree", name)] = np.asarray(same)
    return trace
