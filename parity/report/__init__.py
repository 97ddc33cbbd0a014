"""The suite's output: a line for each rung, the first divergence, and three report files.

report.md and report.html are made from the same record as report.json.
"""

import json
import math
import os
import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from parity.compare import Result, first_divergence, share, worst
from parity.report import html as report_html
from parity.report import kills as kill_table
from parity.report import kinds
from parity.tolerances import Rule
from parity.tolerances.checkpoint import rows_of

PACKAGES = ("paddlepaddle", "paddlepaddle-gpu", "torch", "transformers", "numpy")
ROOT = Path(__file__).resolve().parents[2]


def rung_line(number: int, rung, results: list[Result]) -> str:
    """One line: number, name, title, the worst share of the budget at each gate, ok or FAIL."""
    shares = [f"{gate} {share(worst(own).used):>7}" for gate, own in _by_gate(results).items()]
    verdict = "ok" if all(result.passed for result in results) else "FAIL"
    return f"{number:2d} {rung.name:10s} {rung.title:38s} {'  '.join(shares):24s} {verdict}"


def failure(results: list[Result]) -> list[str]:
    """Lines with the first divergence and the last good tensor; empty where nothing failed."""
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
    """Whether every comparison passed; False where there was none."""
    return bool(results) and all(result.passed for result in results)


def verdict(results: list[Result], seconds: float) -> str:
    word = "PARITY" if passed(results) else "NO PARITY"
    return f"{word}: {len(results)} comparisons in {seconds:.0f} s"


def versions() -> dict[str, str]:
    """Versions of Python and of the PACKAGES that are installed; Paddle has a CPU and a GPU one."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def write(
    directory: Path, rungs, coverage, seconds: float, kills: dict | None = None, subject: str = ""
) -> dict:
    """Write the three reports of `rungs`, which are pairs of a rung and its results.

    The result is the record that report.json holds.

    coverage: lines about what no rung compares.
    kills: the kill table; None where there is none.
    subject: describes the user's checkpoint and data; empty for the fixtures.
    """
    directory.mkdir(parents=True, exist_ok=True)
    record = _record(rungs, coverage, seconds, kills, subject)
    texts = {
        "report.json": json.dumps(record, indent=1, allow_nan=False) + "\n",
        "report.md": _markdown(record),
        "report.html": report_html.page(record, kills),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return record


def _record(rungs, coverage, seconds: float, kills: dict | None, subject: str = "") -> dict:
    results = [result for _, own in rungs for result in own]
    row = rows_of(subject)
    return {
        "subject": subject,
        "passed": passed(results),
        "verdict": verdict(results, seconds),
        "kinds": kinds.counts(results),
        "failure": failure(results),
        "seconds": round(seconds, 1),
        "versions": versions(),
        "machine": _machine(),
        "coverage": list(coverage),
        "kills": kill_table.told(kills) if kills else None,
        "rungs": [
            {"name": rung.name, "title": rung.title, "compared": len(own),
             "gates": [_gate(gate, held, row) for gate, held in _by_gate(own).items()]}
            for rung, own in rungs
        ],
        "results": [_as_dict(result) for result in results],
    }


def _gate(gate: str, results: list[Result], row) -> dict:
    """One rung's results at one gate, with rule and reason of the worst result."""
    most = worst(results)
    where = f"{most.place.case}, step {most.point.step}, {most.point.phase}, {most.point.tensor}"
    return {
        "gate": gate, "budget": _budget(gate, results, row), "compared": len(results),
        "failed": sum(not result.passed for result in results), "worst": _json(most.used),
        "where": where, "rule": _rule(most, row),
        "reason": "" if most.note else row(gate, most.point.phase).reason,
    }


def _budget(gate: str, results: list[Result], row) -> str:
    """The bound of the gate's main rule, such as "k = 3", or its range over the phases.

    Bounds of rules that come second at a gate, such as zeros and equal bits, are not named.
    """
    rows = [row(gate, phase) for phase in {r.point.phase: 0 for r in results if not r.note}]
    shapes = [
        ("k = {}", "k", {Rule.BUDGET, Rule.BULK, Rule.CURVE}),
        ("{}", "limit", {Rule.IDENTITY}),
        ("{} eps", "limit", {Rule.SCALAR}),
        ("{} sigma" if gate == "Z" else "{}", "limit", {Rule.NULL}),
    ]
    for shape, name, rules in shapes:
        if bounds := sorted({getattr(own, name) for own in rows if own.rule in rules}):
            ends = [f"{bound:g}".replace("e-0", "e-") for bound in bounds]
            return shape.format(" to ".join(dict.fromkeys((ends[0], ends[-1]))))
    return "equal bits" if rows else "-"


def _rule(result: Result, row) -> str:
    if result.note:
        return result.note
    tolerance = row(result.place.gate, result.point.phase)
    numbers = [f"{n} {getattr(tolerance, n):g}" for n in ("limit", "k", "k_max")
               if math.isfinite(getattr(tolerance, n))]
    return ", ".join([tolerance.rule.name.lower(), *numbers])


def _machine() -> dict[str, str]:
    """Facts about the machine that the results depend on, and the commit where there is git."""
    cpu = platform.processor()
    if (info := Path("/proc/cpuinfo")).exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        cpu = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), cpu)
    machine = {
        "cpu": cpu, "platform": platform.platform(), "threads": os.environ.get("OMP_NUM_THREADS"),
        "commit": commit(),
    }
    return {name: value for name, value in machine.items() if value}


def commit() -> str:
    """HEAD's hash, with "-dirty" where files differ from it; empty without this project's git tree.
    """
    if not (ROOT / ".git").exists():
        return ""
    describe = ["git", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:  # no git on this machine
        return ""
    return done.stdout.strip()


def _markdown(record: dict) -> str:
    lines = [f"# {record['verdict']}", ""]
    if record["kinds"]:
        lines += [f"{kinds.told(record['kinds'])}.", ""]
    if record["subject"]:
        lines += [f"Proved: {record['subject']}.", ""]
    lines += ["Gate D: equal bits. Z: statistics of random draws. A: identity in float64. B: error "
              "budget in float32, where Paddle may be as far from the float64 truth as torch, "
              "times k.", ""]
    if record["failure"]:
        lines += ["```", *record["failure"], "```", ""]
    lines += ["| rung | gate | compared | worst, of its budget | where | rule |", "|---" * 6 + "|"]
    for rung in record["rungs"]:
        for gate in rung["gates"]:
            cells = [rung["name"], gate["gate"], str(gate["compared"]),
                     share(float(gate["worst"])), gate["where"], gate["rule"]]
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    lines += ["", "Not on the ladder:", "", *(f"- {line}" for line in record["coverage"])]
    if record["kills"]:
        lines += ["", f"Planted bugs: {kill_table.line(record['kills'])}."]
    facts = record["versions"] | record["machine"]
    lines += ["", "Versions: " + ", ".join(f"{k} {v}" for k, v in facts.items()) + "."]
    return "\n".join(lines) + "\n"


def _by_gate(results: list[Result]) -> dict[str, list[Result]]:
    gates = dict.fromkeys(result.place.gate for result in results)
    return {gate: [r for r in results if r.place.gate == gate] for gate in gates}


def _as_dict(result: Result) -> dict:
    flat = {**result.place._asdict(), **result.point._asdict(), "passed": result.passed,
            "budget_used": result.used, "index": list(result.index), "expected": result.expected,
            "got": result.got, "reference": result.reference,
            "paddle_error_eps": result.paddle_error, "torch_error_eps": result.torch_error,
            "note": result.note}
    return {key: _json(value) for key, value in flat.items()}


def _json(value):
    """The value for JSON, which has no inf and nan; they become strings."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
