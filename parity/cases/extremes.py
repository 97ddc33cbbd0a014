"""Numbers at the ends of what their type holds, and beyond; weights that give such logits."""

from dataclasses import replace

import numpy as np

from parity.cases import Case
from parity.compare import Point, Trace

# Numbers of columns, shared out to the fixtures to save time, and the numbers of tensor parallel
# processes that they are split over; the shares of 97 columns are uneven.
_SHARES = {"std_0.02": {2: (1, 2), 97: (1, 2, 3)}, "std_0.2": {3: (1, 2, 3), 50304: (1, 2)}}
# Where Paddle's softmax for CPUs takes what is no number for a number, from 8 columns on. Attention
# uses it nevertheless: its own softmax would take several times as long. Weights that are no
# numbers are refused when they are loaded, and in training their gradient is NaN, which stops the
# run.
SOFTMAX_LEFT_OUT = ("one inf", "all inf", "all -inf", "one NaN", "all NaN")
IGNORED = -100


def vocabularies(case: Case) -> dict[int, tuple[int, ...]]:
    return _SHARES[case.name]


def rows(columns: int, dtype: str) -> dict[str, np.ndarray]:
    """name -> a row (columns,). At least its first element is extreme."""
    tiny = np.finfo(np.float32).tiny / 64  # a denormal number in float32
    usual = np.random.default_rng(columns).standard_normal(columns)
    spread = np.random.default_rng(columns + 1).permutation(np.linspace(-100, 100, columns))
    place = int(spread.argmin())
    spread[[0, place]] = spread[[place, 0]]  # the first label costs 200 nats
    made = {
        "usual": usual, "200 nats apart": spread, "ten thousand": 1e4 * usual,
        "denormal": tiny * usual, "equal": np.zeros(columns),
    }
    for name, value in (("inf", np.inf), ("-inf", -np.inf), ("NaN", np.nan)):
        made[f"one {name}"] = np.append(value, usual[1:])
        made[f"all {name}"] = np.full(columns, value)
    return {name: row.astype(dtype) for name, row in made.items()}


def labels(columns: int) -> np.ndarray:
    """Labels (4,) for four copies of a row: its ends, its middle, and one that is ignored."""
    return np.array([0, columns // 2, columns - 1, IGNORED])


def recorded(function: str, name: str, values, dtype: str) -> Trace:
    """What kind of number each value is; in float64 also the finite values themselves."""
    values = np.asarray(values)
    kinds = np.select(
        [np.isnan(values), np.isposinf(values), np.isneginf(values)], [2, 3, 4], default=1)
    trace: Trace = {Point(0, "kind of number", f"{function}, {name}"): kinds}
    if dtype == "float64":
        trace[Point(0, "extreme", f"{function}, {name}")] = np.where(kinds == 1, values, 0.0)
    return trace


def spreads(case: Case) -> dict[str, Case]:
    """The case itself, and with a fixture one whose logits are more than 200 nats apart."""
    if case.directory is not None:
        return {"": case}
    norm = "transformer.ln_f.weight"
    gain = np.float32(5.0 / float(case.name.removeprefix("std_")))
    sharp = replace(case, weights=case.weights | {norm: case.weights[norm] * gain})
    return {"": case, ", 200 nats apart": sharp}


def processes(case: Case) -> dict[str, int]:
    """The numbers of tensor parallel processes that the loss is computed in, by a point's suffix.
    """
    return {"": 1} if case.directory is not None else {"": 1, ", two processes": 2}


USES = ("loss", "loss of two processes", "validation", "held-out documents", "WikiText", "LAMBADA",
        "greedy search", "C++ decoder", "beam search")
