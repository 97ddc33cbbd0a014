"""Examples of different lengths, as fine-tuning reads them, in steps with uneven masks."""

from dataclasses import replace

import numpy as np

from parity.cases import Batch, Case, drawing

# 23 examples, six to a step: the last step of each epoch has five, in a process of two four.
COUNT, PER_STEP, EPOCHS, SEED = 23, 6, 2, 11
PAD = 7  # a token like others, so that padding that is learned or counted changes results
KEYS, ALPHA = (3, 12, 1, 5, 30), 0.75
STEPS = EPOCHS * -(-COUNT // PER_STEP)
# Number of processes -> examples in one forward pass of one, of which a step has three.
SHARES = {1: 2, 2: 1}


def examples(case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids (n,) of each example, and its labels, not shifted: -100 for a prompt of some length."""
    rng = np.random.default_rng(77)
    made = []
    for length in rng.permutation(np.arange(3, 3 + 2 * COUNT, 2)).tolist():
        (ids,) = drawing.random_tokens(case.config, rng, 1, length)
        labels = ids.copy()
        labels[: int(rng.integers(0, length // 2 + 1))] = -100
        made.append((ids, labels))
    return made


def alone(ids: np.ndarray, labels: np.ndarray) -> Batch:
    """An example as a batch of one row without padding."""
    return {"input_ids": ids[None, :-1], "labels": labels[None, 1:]}


def trained(case: Case) -> Case:
    """The case without dropout; each of its steps has examples alone, in the order that is to be
    computed: an epoch is a permutation by (seed, epoch), and its last step has what is left.
    """
    made, steps = examples(case), []
    for epoch in range(EPOCHS):
        order = np.random.default_rng([SEED, epoch]).permutation(COUNT)
        steps += [[alone(*made[number]) for number in order[first : first + PER_STEP]]
                  for first in range(0, COUNT, PER_STEP)]
    return replace(case.without_dropout(), steps=steps, snapshots=(1, STEPS))
