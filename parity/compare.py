"""Compare two traces, tensor by tensor, by the rules of `tolerances`.

A comparison fails where an error is larger than its budget, and also where shapes or dtypes
differ, a tensor is missing or extra, either side has a NaN or an infinity, the reference is zero
throughout, or there is nothing to compare.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from parity import tolerances
from parity.tolerances import EPS32, Rule, Tolerance


class Point(NamedTuple):
    """Which tensor was recorded; step 0 lies before the first optimizer step."""

    step: int
    phase: str
    tensor: str


# Tensors are inserted in the order of computation, so the first failure is the first divergence.
Trace = dict[Point, np.ndarray]


class Place(NamedTuple):
    rung: str
    case: str
    gate: str


@dataclass(frozen=True)
class Result:
    """The comparison of one tensor.

    used: the share of its budget that the error takes; inf where the tensor could not be compared.
    index: where the two sides differ most; expected, got and reference (torch's float32 value, at
    gate B) are the values there.
    paddle_error, torch_error: rms errors against the float64 truth, relative to the truth's rms,
    in eps32; at gate B only.
    note: why the tensor could not be compared.
    """

    place: Place
    point: Point
    used: float
    index: tuple[int, ...] = ()
    expected: float | None = None
    got: float | None = None
    reference: float | None = None
    paddle_error: float | None = None
    torch_error: float | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.used <= 1.0  # False for a NaN too

    def where(self) -> str:
        step, phase, tensor = self.point
        return f"{self.place.rung}: step {step}, {phase}, {tensor}"

    def describe(self) -> str:
        gate = f"[gate {self.place.gate}, {self.place.case}]"
        if self.note:
            return f"{self.where()}: {self.note} {gate}"
        return (
            f"{self.where()}, index {list(self.index)}: expected {self.expected!r}, "
            f"got {self.got!r}, budget used {share(self.used)} {gate}"
        )


def compare(
    place: Place,
    reference: Trace,
    got: Trace,
    truth: Trace | None = None,
    row: Callable[[str, str], Tolerance] = tolerances.row,
) -> list[Result]:
    """One result for every tensor of either side, in the reference's order; never an empty list.

    truth: the reference computed in float64. The rules of gate B measure the errors of both sides
    against it. None: the reference itself is the truth.
    """
    truth = reference if truth is None else truth
    results = list(_compare_points(place, reference, got, truth, row))
    for point in got:
        if point not in reference:
            note = "extra: the reference has no such tensor"
            results.append(Result(place, point, math.inf, note=note))
    if not results:
        nothing = Point(0, "-", "-")
        results.append(Result(place, nothing, math.inf, note="nothing was compared"))
    return results


def first_divergence(results: list[Result]) -> tuple[Result | None, Result | None]:
    """The first failed result, and the last passed one before it; None where there is none."""
    good = None
    for result in results:
        if not result.passed:
            return result, good
        good = result
    return None, good


def worst(results: list[Result]) -> Result:
    """The result that used most of its budget; a failed one before any that passed."""
    return max(results, key=lambda result: (not result.passed, result.used))


def share(used: float) -> str:
    """A share of the budget as text: percent up to 100 %, above that a multiple."""
    return f"{used:.2%}" if used <= 1.0 else f"{used:.3g} times"


def rms(values: np.ndarray) -> float:
    """Root mean square; scaled first, because squares of second moments (1e-200) would underflow.
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(np.mean(np.square(values / largest))))


def _compare_points(place, reference, got, truth, row) -> Iterator[Result]:
    for point, expected in reference.items():
        tolerance = row(place.gate, point.phase)
        if note := _unfit(point, expected, got, truth, tolerance):
            yield Result(place, point, math.inf, note=note)
            continue
        if tolerance.rule is Rule.CHOICE:
            yield _choice(place, point, tolerance, reference, got, truth)
            continue
        noise = expected.astype(np.float64) - truth[point].astype(np.float64)
        if tolerance.rule is Rule.CURVE:  # one step's error may happen to be 0, a run's is not
            noise = _noise_of_run(point, reference, truth)
        used = _used(tolerance, truth[point], expected, got[point], noise)
        # By a NULL rule the true value is zero, so the value itself is the error.
        shown = truth[point] if tolerance.rule is not Rule.NULL else np.zeros_like(expected)
        error = np.abs(got[point].astype(np.float64) - shown.astype(np.float64))
        index = np.unravel_index(int(np.argmax(error)), error.shape) if error.ndim else ()
        yield Result(
            place, point, used, tuple(int(i) for i in index),
            float(shown[index]), float(got[point][index]), float(expected[index]),
            *_errors(place, tolerance, truth[point], got[point], expected),
        )


def _choice(place, point, tolerance: Tolerance, reference, got, truth) -> Result:
    """Compare chosen tokens.

    The error is the truth's highest score minus the truth's score of the token that Paddle chose.
    """
    chosen, scored = got[point], point._replace(phase="logits")
    scores = truth[scored].astype(np.float64)  # (..., V); the choices have one axis less
    if chosen.min() < 0 or chosen.max() >= scores.shape[-1]:
        return Result(place, point, math.inf, note="a choice that is not in the vocabulary")
    regret = scores.max(axis=-1) - np.take_along_axis(scores, chosen[..., None], axis=-1)[..., 0]
    index = np.unravel_index(int(np.argmax(regret)), regret.shape)
    noise = max(rms(reference[scored] - scores), tolerances.BUDGET_FLOOR * EPS32 * rms(scores))
    allowed = tolerance.limit * rms(scores) + tolerance.k * noise
    return Result(
        place, point, float(regret[index]) / allowed, tuple(int(i) for i in index),
        float(truth[point][index]), float(chosen[index]), float(reference[point][index]),
    )


def _errors(
    place: Place, tolerance: Tolerance, truth, got, reference
) -> tuple[float | None, float | None]:
    """Relative rms errors of got and of reference in eps32; None where the truth is zero."""
    unit = EPS32 * rms(truth.astype(np.float64))
    if place.gate != "B" or tolerance.rule is Rule.NULL or unit == 0.0:
        return None, None
    return tuple(rms(side.astype(np.float64) - truth) / unit for side in (got, reference))


def _unfit(point, expected, all_got, all_truth, tolerance: Tolerance) -> str:
    """Why the tensors cannot be compared; empty where they can."""
    if point not in all_got:
        return "missing on the Paddle side"
    if point not in all_truth:
        return "missing in the float64 reference"
    got, truth = all_got[point], all_truth[point]
    if not expected.shape == got.shape == truth.shape:
        return f"shape: expected {expected.shape}, got {got.shape} (truth {truth.shape})"
    if expected.dtype != got.dtype:
        return f"dtype: expected {expected.dtype}, got {got.dtype}"
    if expected.size == 0:
        return "an empty tensor"
    for name, values in (("truth", truth), ("reference", expected), ("Paddle", got)):
        if not np.isfinite(values).all():
            bad = [int(i) for i in np.argwhere(~np.isfinite(values))[0]]
            return f"the {name} side has a non-finite value at index {bad}"
    if not (tolerance.zeros or tolerance.rule is Rule.NULL or np.any(truth)):
        return "the reference is zero throughout: it cannot tell right from wrong"
    if tolerance.rule is Rule.BUDGET and math.isfinite(tolerance.limit):
        noise = rms(expected.astype(np.float64) - truth) / (EPS32 * rms(truth))
        if noise > tolerance.limit:
            return f"ill conditioned: the reference's own float32 error is {noise:.0f} eps"
        if noise < tolerances.LEAST_NOISE:
            return f"the reference is off by only {noise:.2g} eps: it did not compute in float32"
    return ""


def _noise_of_run(point: Point, reference: Trace, truth: Trace) -> np.ndarray:
    """The reference's float32 error of this phase at every step."""
    run = [other for other in reference if other.phase == point.phase and other in truth]
    return np.array([rms(reference[other].astype(np.float64) - truth[other]) for other in run])


def _used(tolerance: Tolerance, truth, reference, got, noise) -> float:
    """The share of the budget that the error takes.

    noise: the reference's float32 errors; for a CURVE one of each step. The other arrays have the
    tensor's shape.
    """
    if tolerance.rule is Rule.EXACT:
        return 0.0 if truth.tobytes() == got.tobytes() else math.inf
    truth, reference, got = (np.asarray(a, dtype=np.float64) for a in (truth, reference, got))
    error, scale = rms(got - truth), max(rms(truth), tolerance.floor)
    if tolerance.rule is Rule.IDENTITY:
        return error / (tolerance.limit * scale)
    if tolerance.rule is Rule.NULL:
        return float(max(np.max(np.abs(reference)), np.max(np.abs(got)))) / tolerance.limit
    if tolerance.rule is Rule.SCALAR:
        return error / (tolerance.limit * EPS32 * scale)
    if tolerance.rule is Rule.CURVE:
        granted = min(rms(noise), tolerances.CURVE_CAP * EPS32 * scale)
        return error / max(tolerance.k * granted, tolerance.limit * EPS32 * scale)
    floor = tolerances.BUDGET_FLOOR * EPS32 * scale
    peak_floor = tolerances.BUDGET_FLOOR * EPS32 * float(np.max(np.abs(truth)))
    if tolerance.rule is Rule.BULK:
        bulk, allowed = (
            float(np.percentile(np.abs(errors), tolerances.BULK_PERCENT))
            for errors in (got - truth, noise)
        )
        return bulk / (tolerance.k * max(allowed, floor))
    largest = float(np.max(np.abs(got - truth)))
    return max(
        error / (tolerance.k * max(rms(noise), floor)),
        largest / (tolerance.k_max * max(float(np.max(np.abs(noise))), peak_floor)),
    )
