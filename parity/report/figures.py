"""The sections of report.html that have a picture, each made from the record of report.json.

A section without data has a sentence that says so instead.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from html import escape

from parity.compare import share
from parity.report.pictures import Bar, Line, bars, legend, lines
from parity.tolerances import BUDGET_FLOOR, EPS32
from parity.tolerances.checkpoint import rows_of

GATES = "Gates: D equal bits, Z statistics of random draws, A float64, B float32."
SIDES = [("truth", "torch float64, the truth"), ("torch", "torch float32"),
         ("paddle", "Paddle float32")]
ERRORS = ("torch_error_eps", "paddle_error_eps")
SERIES = ("paddle", "torch", "third", "fourth")
UNIT = "1\u00a0eps is 2⁻²³ of the value"


def budget(record: dict) -> str:
    rows = []
    for rung in record["rungs"]:
        for gate in rung["gates"]:
            text = "equal" if equal(gate) else used(float(gate["worst"]))
            hint = f"{rung['title']}, gate {gate['gate']}: {text}, {gate['where']}"
            good = not gate["failed"]
            rows.append(Bar(rung["name"], gate["gate"], float(gate["worst"]), good, text, hint))
    if not rows:
        return section("Budget used per rung", absent("budgets", "compared nothing"))
    keys = [("pass", "within its budget")]
    keys += [("fail", "failed")] if not all(bar.passed for bar in rows) else []
    picture = bars("budget", "Worst share of its error budget, for every rung and gate, "
                   "on a logarithmic axis", rows)
    return section(
        "Budget used per rung",
        "<p>Every tolerance is a budget; each bar is the comparison that used most of its budget. "
        f"The axis is logarithmic. {GATES}</p>" + _figure("", legend(keys), picture, ""),
    )


def layers(record: dict) -> str:
    made = []
    source = ("hidden", "B", "hidden")
    for case, held in _by_case(record, source, ERRORS):
        drawn = [
            Line(label, style, [(x, float(r[f"{style}_error_eps"])) for x, r in enumerate(held)],
                 hints=[f"{r['tensor']}: {label} {float(r[f'{style}_error_eps']):.3g} eps"
                        for r in held])
            for style, label in SIDES[1:]
        ]
        names = _short([r["tensor"] for r in held])
        ratio, name = max(zip(map(_ratio, held), names, strict=True))
        picture = lines(f"layers-{len(made)}", f"Float32 error of every layer, weights {case}",
                        drawn, names, from_zero=True)
        made.append(_figure(
            f"Weights {case}", _unit("rms error, eps") + legend(SIDES[1:]), picture,
            f"Paddle's error is at most {ratio:.2f} times torch's ({name}); "
            f"{rows_of(record['subject'])('B', 'hidden').k:g} times are allowed.",
        ))
    told = ("Error of every layer's output against the float64 truth, in the order of computation. "
            f"Both frameworks round, and Paddle's error may be a few times torch's. {UNIT}.")
    return _pictures(record, source, ERRORS, "Error per layer", told, made)


def gradients(record: dict) -> str:
    drawn, captions = [], []
    source = ("gradients", "B", "gradient")
    for number, (case, held) in enumerate(_by_case(record, source, ERRORS)):
        ratios = sorted(map(_ratio, held))
        places = [100 * x / max(1, len(ratios) - 1) for x in range(len(ratios))]
        drawn.append(Line(f"weights {case}", SERIES[number % len(SERIES)],
                          list(zip(places, ratios, strict=True))))
        captions.append(f"{case}: {len(ratios)} tensors, median {statistics.median(ratios):.2f}, "
                        f"largest {ratios[-1]:.2f}")
    made = []
    if drawn:
        most = rows_of(record["subject"])("B", "gradient").k
        picture = lines("gradients", "Paddle's float32 gradient error over torch's, sorted", drawn,
                        guides=[(1.0, "as torch"), (most, f"budget: {most:g} times torch")],
                        from_zero=True)
        keys = legend([(line.style, line.label) for line in drawn])
        made.append(_figure("", _unit("k, over percent of the tensors") + keys, picture,
                            "; ".join(captions) + "."))
    told = ("k is Paddle's rms error over torch's, both against the float64 truth, for the "
            "gradient of every parameter, sorted.")
    return _pictures(record, source, ERRORS, "Error of the gradients", told, made)


def curves(record: dict, phase: str, noun: str, heading: str) -> str:
    """The curves of three runs in one plot, and below it their differences from the truth."""
    made = []
    source, keys = ("training", "B", phase), ("expected", "reference", "got")
    exact = dict(_by_case(record, ("training", "A", phase), ("expected", "got")))
    for case, held in _by_case(record, source, keys):
        identity = f"{noun.replace(' ', '-')}-{len(made)}"
        # The wide line lies under the narrow ones, so that equal curves are all visible.
        over = [
            Line(label, style, [(r["step"], float(r[key])) for r in held], width, dots=dots)
            for (style, label), key, width, dots in zip(
                SIDES, keys, (10.0, 5.0, 1.8), (False, False, True), strict=True)
        ]
        off = [
            Line(label, style, [(r["step"], _relative(r, key) / EPS32) for r in held])
            for (style, label), key in zip(SIDES[1:], keys[1:], strict=True)
        ]
        pictures = [
            lines(identity, f"{noun} of three runs over each other, weights {case}", over),
            _unit("difference to the truth, eps"),
            lines(f"{identity}-apart", f"{noun}, difference to the float64 truth, weights {case}",
                  off, from_zero=True),
        ]
        made.append(_figure(f"Weights {case}", legend(SIDES) + _unit(f"{noun}, over steps"),
                            "".join(pictures), _in_float64(exact.get(case, []))))
    told = (f"The {noun} of every training step in three runs, and below it their differences from "
            f"the float64 truth. {UNIT}.")
    return _pictures(record, source, keys, heading, told, made)


def _of(record: dict, source: tuple[str, str, str]) -> list[dict]:
    """Results of one rung, gate and phase, in the order of computation."""
    return [r for r in record["results"] if (r["rung"], r["gate"], r["phase"]) == source]


def _drawable(result: dict, keys: Sequence[str]) -> bool:
    return all(result[key] is not None and math.isfinite(float(result[key])) for key in keys)


def _by_case(record: dict, source: tuple[str, str, str], keys: Sequence[str]
             ) -> Iterator[tuple[str, list[dict]]]:
    """The results that have all these numbers, by case."""
    kept = [result for result in _of(record, source) if _drawable(result, keys)]
    for case in dict.fromkeys(r["case"] for r in kept):
        yield case, [r for r in kept if r["case"] == case]


def _short(names: list[str]) -> list[str]:
    """The names without their first part, where that is the same in all."""
    heads = {name.partition(".")[0] for name in names}
    shared = len(heads) == 1 and all("." in name for name in names)
    return [name.partition(".")[2] for name in names] if shared else names


def _ratio(result: dict) -> float:
    """Paddle's error over torch's, which counts as at least BUDGET_FLOOR, as in the budget."""
    return float(result["paddle_error_eps"]) / max(float(result["torch_error_eps"]), BUDGET_FLOOR)


def _relative(result: dict, side: str) -> float:
    truth = float(result["expected"])
    return (float(result[side]) - truth) / abs(truth) if truth else math.nan


def _in_float64(held: list[dict]) -> str:
    most = max((abs(_relative(result, "got")) for result in held), default=None)
    return "" if most is None else f"In float64 both are at most {most:.1e} of the value apart."


def _pictures(record: dict, source: tuple[str, str, str], keys: Sequence[str], heading: str,
              told: str, made: list[str]) -> str:
    if not made:
        return section(heading, absent(heading.lower(), f"has no numbers of rung {source[0]}"))
    missing = sum(not _drawable(result, keys) for result in _of(record, source))
    told += f" <b>Not drawn, because they have no number: {missing}.</b>" if missing else ""
    return section(heading, f'<p>{told}</p><div class="grid">{"".join(made)}</div>')


def used(worst: float) -> str:
    """A share of a budget as a short text."""
    if worst > 1.0:
        return f"{worst:.2g}×" if math.isfinite(worst) else "fails"
    return share(worst)


def equal(gate: dict) -> bool:
    """Whether the gate compared bits only, and all were equal."""
    return gate["budget"] == "equal bits" and not gate["failed"]


def absent(what: str, why: str) -> str:
    return f'<p class="absent">No picture of {escape(what)}: this run {escape(why)}.</p>'


def section(heading: str, content: str) -> str:
    return f"<section><h2>{heading}</h2>{content}</section>\n"


def _unit(told: str) -> str:
    return f'<p class="unit">{told}</p>'


def _figure(heading: str, keys: str, picture: str, caption: str) -> str:
    head = f"<h3>{escape(heading)}</h3>" if heading else ""
    tail = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{head}{keys}{picture}{tail}</figure>"
