"""Pairs of a chosen and a rejected response, and the losses that are computed of them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from parity.cases import Batch, Case, drawing
from parity.compare import Point, Trace

# Nine pairs, six to a step: the last step of an epoch has three, and so one of two processes has
# none in its second pass.
COUNT, PER_STEP, EPOCHS, SEED = 9, 6, 2, 5
PAD = 9  # a token like others, so that padding that is learned or counted changes results
STEPS = EPOCHS * -(-COUNT // PER_STEP)
# Number of processes -> pairs in one forward pass of one, of which a step has three.
SHARES = {1: 2, 2: 1}
PER_PASS = 2  # of the rung that computes all pairs once


class Loss(NamedTuple):
    """The arguments of preference_loss.preference."""

    form: str
    beta: float
    label_smoothing: float = 0.0
    sft_weight: float = 0.0


LOSSES = {
    "sigmoid": Loss("sigmoid", 0.1), "sigmoid, smoothed": Loss("sigmoid", 0.3, 0.2),
    "sigmoid_norm": Loss("sigmoid_norm", 0.7), "ipo": Loss("ipo", 0.05),
    "ipo_norm": Loss("ipo_norm", 0.9), "hinge": Loss("hinge", 0.15),
    "sigmoid, with its cross entropy": Loss("sigmoid", 0.2, 0.1, 0.6),
    "sigmoid_norm, with its cross entropy": Loss("sigmoid_norm", 1.3, 0.0, 0.35),
}
TRAINED = ("sigmoid, with its cross entropy", "sigmoid_norm")

# Log-probabilities by the policy and by the reference: three chosen responses, three rejected ones.
GIVEN = np.array([-1.0, -2.0, -0.5, -1.5, -1.0, -0.7])
GIVEN_REFERENCE = np.array([-1.2, -1.8, -0.5, -1.4, -1.3, -0.7])
GIVEN_BETA, GIVEN_SMOOTHING = 0.1, 0.1
GOLDEN: Trace = {
    Point(0, "loss", f"given: {name}"): np.asarray(value) for name, value in {
        "sigmoid": 0.6966221683048933, "sigmoid, smoothed": 0.6959555016382267, "ipo": 25.78,
        "hinge": 1.0066666666666666, "accuracy": 0.5}.items()}


class Example(NamedTuple):
    """Ids (n,) of both texts; in each the response begins at `start`."""

    chosen: np.ndarray
    rejected: np.ndarray
    start: int


def pairs(case: Case) -> list[Example]:
    """Responses of 1 to 41 tokens; the longest text fills the model's positions."""
    rng = np.random.default_rng(78)
    made = []
    for number in range(COUNT):
        start = int(rng.integers(1, 20))
        lengths = [int(length) for length in rng.choice(np.arange(1, 42), 2, replace=False)]
        if number == 3:
            start, lengths = case.config.n_positions - 41, [41, 1]
        (prompt,), *texts = (drawing.random_tokens(case.config, rng, 1, length)
                             for length in (start, *lengths))
        made.append(Example(*(np.append(prompt, text) for (text,) in texts), start))
    return made


def reference(case: Case) -> np.ndarray:
    """(pairs, 2): log-probabilities near those of a model that knows nothing."""
    rng = np.random.default_rng(79)
    tokens = np.array([[len(ids) - one.start for ids in one[:2]] for one in pairs(case)])
    return rng.normal(0.0, 3.0, tokens.shape) - tokens * np.log(case.config.vocab_size)


def alone(ids: np.ndarray, start: int) -> Batch:
    """A text as a batch of one row without padding, whose labels are the response."""
    labels = np.where(np.arange(len(ids)) < start, -100, ids)
    return {"input_ids": ids[None, :-1], "labels": labels[None, 1:]}


def trained(case: Case) -> Case:
    """The case without dropout; each of its steps has the numbers of its pairs, in the order that
    is to be computed: an epoch is a permutation by (seed, epoch), its last step has what is left.
    """
    steps = []
    for epoch in range(EPOCHS):
        order = np.random.default_rng([SEED, epoch]).permutation(COUNT)
        steps += [[{"pair": number} for number in order[first : first + PER_STEP].tolist()]
                  for first in range(0, COUNT, PER_STEP)]
    return replace(case.without_dropout(), steps=steps, snapshots=(1, STEPS))
