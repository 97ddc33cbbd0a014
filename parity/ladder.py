"""The rungs, from the weights up to the trained model.

A new rung is one function on each side, named alike, one entry here, and a row in `tolerances` for
each of its phases.
"""

import importlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from parity import cases
from parity.compare import Place, Point, Result, Trace, compare


@dataclass(frozen=True)
class Rung:
    """`function` is `module.name` in torch_side and in paddle_side: (case, dtype) -> Trace.

    gates: D equal bits in float32, A float64, B float32. golden: values known from elsewhere, which
    both sides are held against.
    """

    name: str
    title: str
    function: str
    gates: str = "AB"
    golden: Trace = field(default_factory=dict)


RUNGS = (
    Rung("weights", "HF -> ours -> HF, bit for bit", "weights.round_trip", "D"),
    Rung("refusals", "damaged checkpoints are refused", "weights.refusals", "D"),
    Rung("hidden", "output of every layer", "forward.hidden_states"),
    Rung("logits", "logits", "forward.logits"),
    Rung("loss", "masked mean loss", "forward.loss"),
    Rung("gradients", "gradient of every parameter", "backward.gradients"),
    Rung("clip", "gradient norm and clipped gradients", "backward.clipped_gradients"),
    Rung("schedule", "learning rate of every step", "schedule.learning_rates", "A",
         cases.GOLDEN_RATES),
    Rung("training", f"{cases.STEPS} AdamW steps of the trainer", "training.steps"),
)

NOT_YET = (
    "data order", "dropout and other draws", "greedy, sampled and beam generation",
    "checkpoint files and resume", "several ranks", "mixed precision", "models of full size",
    "fine-tuning objectives",
)


def climb(
    names: Sequence[str] | None = None, case_names: Sequence[str] = cases.CASES
) -> Iterator[tuple[Rung, list[Result]]]:
    """Each rung with its results on every case; all rungs where `names` is None."""
    for rung in RUNGS:
        if names is None or rung.name in names:
            yield rung, [result for name in case_names for result in _stand(rung, name)]


def _stand(rung: Rung, case_name: str) -> Iterator[Result]:
    if "D" in rung.gates:
        yield from _held(rung, case_name, "D", "float32")
    if "A" in rung.gates:
        yield from _held(rung, case_name, "A", "float64")
    if "B" in rung.gates:
        truth = _torch(rung.function, case_name, "float64")
        yield from _held(rung, case_name, "B", "float32", truth)


def _held(rung, case_name, gate, dtype, truth: Trace | None = None) -> Iterator[Result]:
    place = Place(rung.name, case_name, gate)
    reference = _torch(rung.function, case_name, dtype)
    try:
        got = function("paddle_side", rung.function)(cases.case(case_name), dtype)
    except Exception as error:  # what our code raises where the reference computes is a divergence
        at = traceback.extract_tb(error.__traceback__)[-1]
        note = f"raised {error!r} at {at.filename}:{at.lineno}"
        yield Result(place, Point(0, "exception", "-"), float("inf"), note=note)
        return
    yield from compare(place, reference, got, truth)
    if rung.golden:
        for side, trace in (("torch", reference), ("Paddle", got)):
            known = {point: trace[point] for point in rung.golden if point in trace}
            yield from compare(
                place._replace(case=f"{side} against golden values"), rung.golden, known
            )


@cache
def _torch(path: str, case_name: str, dtype: str) -> Trace:
    return function("torch_side", path)(cases.case(case_name), dtype)


def function(side: str, path: str) -> Callable[..., Trace]:
    # At call time: the list of rungs is printed without loading either framework.
    module, _, name = path.partition(".")
    return getattr(importlib.import_module(f"parity.{side}.{module}"), name)
