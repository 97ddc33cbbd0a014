"""Texts with classes: poolings, heads, weights of classes, and what is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from parity.cases import Case, drawing, split_key_bias
from parity.compare import Point, Trace

# 13 texts, six to a step, so that the last step has one: a process of two has none in it.
COUNT, PER_STEP, SEED, LABELS = 13, 6, 11, ("a", "b", "c")
STEPS = (0, 2)  # of an epoch, whose gradients are compared
PAD = 7  # a token like others, which texts have too, even at their ends
WIDTH = 47  # of rows whose padding is seen; longer than any text
# Number of processes -> texts in one forward pass of one, of which a step has three.
SHARES = {1: 2, 2: 1}
LAYOUTS = ("right", "left")


@dataclass(frozen=True)
class Variant:
    """policy: what is trained, by its name; is_trained: the same by the names of parameters."""

    pooling: str = "flexible"
    bias: bool = False
    weighted: bool = False
    policy: str = "all"
    is_trained: Callable[[str], bool] = field(default=lambda name: True)

    @property
    def width(self) -> int | None:
        return WIDTH if self.pooling == "last" else None


# The fixtures have four blocks.
VARIANTS: Mapping[str, Variant] = {
    "flexible": Variant(),
    "weighted": Variant(weighted=True),
    "first": Variant("first"),
    "last": Variant("last"),
    "mean": Variant("mean", weighted=True),
    "bias": Variant(bias=True),
    "last block": Variant(policy="last_block", is_trained=lambda name: name.startswith(
        ("transformer.h.3.", "transformer.ln_f.", "score"))),
    "last two blocks": Variant(policy="last_two_blocks", is_trained=lambda name: name.startswith(
        ("transformer.h.2.", "transformer.h.3.", "transformer.ln_f.", "score"))),
    "last layer": Variant(policy="last_layer", bias=True, is_trained=lambda name: name.startswith(
        "out_head")),
}


def texts(case: Case) -> list[tuple[np.ndarray, int]]:
    """Ids (n,) of each text and its class. Classes are of different frequency, and the second text
    ends with the padding token.
    """
    rng = np.random.default_rng(78)
    made = []
    for length in rng.permutation(np.arange(2, 2 + 3 * COUNT, 3)).tolist():
        (ids,) = drawing.random_tokens(case.config, rng, 1, length)
        ids[-1] = PAD + 1 if ids[-1] == PAD else ids[-1]
        ids[len(ids) // 2] = PAD
        made.append((ids, int(2.99 * rng.random() ** 2)))
    made[1][0][-1] = PAD
    return made


def head(case: Case, bias: bool) -> dict[str, np.ndarray]:
    """The head's tensors by our names; the weight of one with a bias is [in, out]."""
    rng = np.random.default_rng(79)
    weight = (0.2 * rng.standard_normal((len(LABELS), case.config.n_embd))).astype(np.float32)
    if not bias:
        return {"score.weight": weight}
    own = (0.3 * rng.standard_normal(len(LABELS))).astype(np.float32)
    return {"out_head.weight": weight.T.copy(), "out_head.bias": own}


def step(index: int) -> list[int]:
    """The numbers of the texts of a step: an epoch is a permutation, its last step what is left."""
    order = np.random.default_rng([SEED, 0]).permutation(COUNT)
    return order[index * PER_STEP : (index + 1) * PER_STEP].tolist()


def padded(case: Case, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask (B, T) of the texts that do not end with the padding token."""
    rows = [ids for ids, _ in texts(case) if ids[-1] != PAD]
    width = max(map(len, rows)) + 2
    inputs, mask = np.full((len(rows), width), PAD), np.zeros((len(rows), width), np.int64)
    for row, ids in enumerate(rows):
        at = slice(0, len(ids)) if layout == "right" else slice(width - len(ids), width)
        inputs[row, at], mask[row, at] = ids, 1
    return inputs.astype(np.int64), mask


def gradients(found: dict[str, np.ndarray], name: str) -> Trace:
    """The trace of gradients by the names of parameters.

    A first token sees itself alone, so what its query is changes nothing.
    """
    trace: Trace = {}
    for parameter, value in found.items():
        kept, null = split_key_bias(parameter, value)
        for part, own in kept.items():
            alone = part.endswith("[query]") and name.endswith("first")
            trace[Point(0, "null gradient" if alone else "gradient", f"{name}: {part}")] = own
        if null is not None:
            trace[Point(0, "null gradient", f"{name}: {parameter}[key]")] = null
    return trace
