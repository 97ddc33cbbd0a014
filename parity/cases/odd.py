"""A model without round sizes, and steps of six micro batches, for rungs of several processes.

Heads have 13 numbers, the vocabulary and the positions are primes, so shares of both are uneven.
Six micro batches are shared by one, two, three or six processes.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from parity import cases
from parity.cases import MODEL, Case, drawing

SHAPE = MODEL.with_(n_layer=3, n_embd=78, n_head=6, n_inner=102, vocab_size=311, n_positions=71)
MICRO_BATCHES = 6
STEPS = 4
# case -> (std, the norm at which to clip: near the median of the run's norms)
_FIXTURES = {"std_0.02": (0.02, 0.9), "std_0.2": (0.2, 2.45)}


def odd(case: Case) -> Case:
    """The model and steps that go with the fixture, without dropout."""
    return _made(case.name)


@cache
def _made(name: str) -> Case:
    std, clip = _FIXTURES[name]
    rng = np.random.default_rng(1313)
    t = SHAPE.n_positions
    return replace(
        cases.case(name), config=SHAPE, weights=drawing.weights(SHAPE, std, rng),
        batch=drawing.batch(SHAPE, rng, [(0, t), (0, 40), (17, t)]),
        steps=[[drawing.batch(SHAPE, rng, spans) for spans in _spans(rng)] for _ in range(STEPS)],
        clip=clip, snapshots=(1, STEPS),
    ).without_dropout()


def _spans(rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """Spans of each micro batch's labels, all of other lengths; the first has a full row."""
    t = SHAPE.n_positions
    ends = rng.permutation(np.arange(3, t))[: 2 * MICRO_BATCHES].tolist()
    return [[(0, t if micro == 0 else ends[2 * micro]), (0, ends[2 * micro + 1])]
            for micro in range(MICRO_BATCHES)]
