"""A vocabulary with new tokens at its end: a batch that has them, and one training step."""

from dataclasses import replace

import numpy as np

from parity.cases import MODEL, Case

WTE = "transformer.wte.weight"
NEW = 7
OLD = MODEL.vocab_size
SMALLER = OLD - 43  # the tokens of a tokenizer that is grown: the 256 bytes and an end token


def grown(case: Case) -> Case:
    """The case with NEW more tokens, which a fifth of its ids and labels are, without dropout.

    The weights have rows of zeros for them, from which updates are counted.
    """
    config = case.config.with_(vocab_size=OLD + NEW)
    rng = np.random.default_rng(77)
    steps = [[_with_new(batch, rng) for batch in case.steps[0]]]
    zeros = np.zeros((NEW, config.n_embd), np.float32)
    weights = case.weights | {WTE: np.concatenate([case.weights[WTE], zeros])}
    return replace(case, config=config, weights=weights, batch=_with_new(case.batch, rng),
                   steps=steps, snapshots=(1,)).without_dropout()


def _with_new(batch: dict, rng: np.random.Generator) -> dict:
    changed = {}
    for name, ids in batch.items():
        chosen = (ids >= 0) & (rng.random(ids.shape) < 0.2)
        changed[name] = np.where(chosen, rng.integers(OLD, OLD + NEW, ids.shape), ids)
    return changed
