"""What the suite says: a line per rung, the first divergence, report.json and report.md."""

import json
import math
import platform
from importlib import metadata
from pathlib import Path

from parity.compare import Result, first_divergence, share, worst
from parity.tolerances import row

PACKAGES = ("paddlepaddle", "torch", "transformers", "numpy")


def rung_line(number: int, rung, results: list[Result]) -> str:
    """Number, name, the worst share of the budget at each gate, ok or FAIL."""
    shares = [f"{gate} {share(worst(own).used):>7}" for gate, own in _by_gate(results).items()]
    verdict = "ok" if all(result.passed for result in results) else "FAIL"
    return f"{number:2d} {rung.name:10s} {rung.title:38s} {'  '.join(shares):24s} {verdict}"


def failure(results: list[Result]) -> list[str]:
    """The first divergence in one line, and the last good tensor; no line where all is well."""
    diverged, good = first_divergence(results)
    if diverged is None:
        return []
    failed = sum(not result.passed for result in results)
    last = f"{good.where()} [gate {good.place.gate}, {good.place.case}]" if good else "none"
    return [
        f"FIRST DIVERGENCE  {diverged.describe()}",
        f"last good tensor  {last}",
        f"in all            {failed} of {len(results)} comparisons failed",
    ]


def passed(results: list[Result]) -> bool:
    """False for a run without a single comparison."""
    return bool(results) and all(result.passed for result in results)


def verdict(results: list[Result], seconds: float) -> str:
    word = "PARITY" if passed(results) else "NO PARITY"
    return f"{word}: {len(results)} comparisons in {seconds:.0f} s"


def versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}


def write(directory: Path, rungs: list[tuple[object, list[Result]]], not_yet, seconds) -> None:
    """report.json, with every comparison, and report.md, with the worst of each rung and gate."""
    directory.mkdir(parents=True, exist_ok=True)
    results = [result for _, own in rungs for result in own]
    record = {
        "passed": passed(results),
        "seconds": round(seconds, 1),
        "versions": versions(),
        "not_yet_covered": list(not_yet),
        "results": [_as_dict(result) for result in results],
    }
    text = json.dumps(record, indent=1, allow_nan=False)
    (directory / "report.json").write_text(text + "\n", encoding="utf-8")
    (directory / "report.md").write_text(_markdown(rungs, results, not_yet, seconds), "utf-8")


def _markdown(rungs, results, not_yet, seconds) -> str:
    lines = [f"# {verdict(results, seconds)}", ""]
    lines += ["Gate D: equal bits. A: identity in float64. B: error budget in float32, where "
              "Paddle may be as far from the float64 truth as torch, times k.", ""]
    if told := failure(results):
        lines += ["```", *told, "```", ""]
    lines += ["| rung | gate | compared | worst, of its budget | where | rule |", "|---" * 6 + "|"]
    for rung, own in rungs:
        for gate, held in _by_gate(own).items():
            most = worst(held)
            rule = _rule(most)
            at = f"{most.place.case}, step {most.point.step}, {most.point.tensor}"
            lines.append(
                f"| {rung.name} | {gate} | {len(held)} | {share(most.used)} | {at} | {rule} |"
            )
    lines += ["", "Not yet on the ladder: " + "; ".join(not_yet) + ".", ""]
    lines += ["Versions: " + ", ".join(f"{k} {v}" for k, v in versions().items()) + "."]
    return "\n".join(lines) + "\n"


def _rule(result: Result) -> str:
    if result.note:
        return result.note.replace("|", "/")
    tolerance = row(result.place.gate, result.point.phase)
    numbers = [f"{n} {getattr(tolerance, n):g}" for n in ("limit", "k", "k_max")
               if math.isfinite(getattr(tolerance, n))]
    return ", ".join([tolerance.rule.name.lower(), *numbers])


def _by_gate(results: list[Result]) -> dict[str, list[Result]]:
    gates = dict.fromkeys(result.place.gate for result in results)
    return {gate: [r for r in results if r.place.gate == gate] for gate in gates}


def _as_dict(result: Result) -> dict:
    """JSON knows neither inf nor nan: they become their names."""
    flat = {**result.place._asdict(), **result.point._asdict(), "passed": result.passed,
            "budget_used": result.used, "index": list(result.index), "expected": result.expected,
            "got": result.got, "reference": result.reference,
            "paddle_error_eps": result.paddle_error, "torch_error_eps": result.torch_error,
            "note": result.note}
    return {key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in flat.items()}
