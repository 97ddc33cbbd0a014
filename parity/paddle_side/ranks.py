"""Training in several processes, which must compute the same as one process."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddle_impl import checkpoint
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training import measuring
from parity.cases import Case, clip_decisions
from parity.cases.odd import odd
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.resume import state_of


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


def stage_2(case: Case, dtype: str) -> Trace:
    """Six ranks of one micro batch each; each gradient is with one of every three ranks."""
    return _train(odd(case), dtype, size=6, sharding=3, stage=2)


def stage_3(case: Case, dtype: str) -> Trace:
    """Four ranks: blocks' weights sharded over two, tensor parallel of two, blocks recomputed.

    An evaluation after each step must leave no weights behind that the next update makes old.
    """
    return _train(odd(case), dtype, size=4, sharding=2, model=2, stage=3, recompute=True,
                  evaluates=True)


class _Part(NamedTuple):
    """A part of a run, up to step `last`, and the processes that compute it."""

    last: int
    size: int
    stage: int = 1
    sharding: int = 1
    model: int = 1


# Three micro batches in each process, then six, two, and six.
_PARTS = (_Part(1, 2, 3, sharding=2), _Part(2, 1), _Part(3, 3, 2, sharding=3),
          _Part(4, 3, model=3))


def moved(case: Case, dtype: str) -> Trace:
    """A run that goes on from its checkpoints in other numbers of processes, shared otherwise."""
    case = odd(case)
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        source = None
        for part in _PARTS:
            shape = {"sharding": part.sharding, "model": part.model}
            (own, values, source), *others = meeting.run(
                part.size, lambda ranks, part=part, source=source:
                _continued(case, dtype, ranks, part, source, Path(name)), **shape)
            trace |= own
    return trace | clip_decisions(case, trace) | _agreement(case, values, others)


def _continued(case: Case, dtype: str, ranks: Ranks, part: _Part, source, directory: Path):
    """(trace, whole weights, checkpoint) of a part of a run. source: the checkpoint before it."""
    model = weights.build_share(replace(case, directory=source), dtype, ranks.model)
    optimizer = training.build_optimizer(model, ranks, stage=part.stage)
    start = 0
    if source is not None:
        checkpoint.load_optimizer(source, optimizer)
        start = checkpoint.load_state(source).step
    trace = training.run(share_of(case, ranks), model, optimizer, start, part.last, ranks)
    path = checkpoint.save(directory, model, optimizer, state_of(case, part.last), None,
                           ranks=ranks)
    return trace, training.whole(model, optimizer), path


def _train(
    case: Case, dtype: str, size: int, recompute: bool = False, stage: int = 1,
    evaluates: bool = False, **shape,
) -> Trace:
    """Each rank takes its share of every step's micro batches; the trace is that of rank 0."""
    case = case.without_dropout()

    def work(ranks: Ranks):
        model = weights.build_share(case, dtype, ranks.model)
        model.recompute = recompute
        optimizer = training.build_optimizer(model, ranks, stage=stage)

        def evaluate(step: int) -> None:
            if evaluates:
                measuring.measure(model, CAUSAL_LM, case.steps[0][:1], ranks)

        trace = training.run(share_of(case, ranks), model, optimizer, ranks=ranks, after=evaluate)
        return trace, training.whole(model, optimizer)

    (trace, values), *others = meeting.run(size, work, **shape)
    return trace | clip_decisions(case, trace) | _agreement(case, values, others)


def share_of(case: Case, ranks: Ranks) -> Case:
    """The case with this process's share of every step's micro batches."""
    share = len(case.steps[0]) // ranks.data.size
    first = share * ranks.data.rank
    return replace(case, steps=[micro[first : first + share] for micro in case.steps])


def _agreement(case: Case, values: dict[str, np.ndarray], others: list[tuple]) -> Trace:
    """1 for each whole weight of the first rank that has the same bits in all other ranks."""
    return {
        Point(len(case.steps), "ranks agree", name):
            np.asarray(all(np.array_equal(value, other[1][name]) for other in others))
        for name, value in values.items()
    }
