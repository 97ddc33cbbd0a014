"""`python -m parity readme`: the README's parity table, made from report.json, never by hand.

What --check holds the README to is what a commit decides: rungs, titles, budgets, their order and
the kill rate of the planted bugs. Counts, shares, seconds and versions were measured on somebody's
machine and may differ on another.
"""

import argparse
import json
import textwrap
from pathlib import Path

import args
from parity import ladder

BEGIN = "<!-- parity table: made by python -m parity readme -->"
END = "<!-- end of parity table -->"
PROG = "python -m parity readme"
HEAD = ("rung", "budget", "comparisons", "worst in float64", "worst in float32")
KILLS = "Planted bugs: "


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        record = _report(Path(options.report))
        text = Path(options.readme).read_text(encoding="utf-8")
        before, old, after = split(text, options.readme)
    except (OSError, ValueError) as error:
        args.fail(PROG, error)
    new = block(record)
    if not options.check:
        Path(options.readme).write_text(before + new + after, encoding="utf-8")
        return 0
    if apart := _difference(promises(old), promises(new)):
        print(f"{options.readme}: the parity table is out of date ({apart}): run {PROG}")
        return 1
    return 0


def block(record: dict) -> str:
    """What stands between the markers: a row a rung, the verdict, the kill rate."""
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, record["rungs"])]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    facts = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    paragraphs = [f"**{record['verdict']}**, with {facts}. Shares are of the budget."]
    if record["kills"]:
        paragraphs.append(f"{KILLS}{record['kills']['summary']}.")
    wrapped = (textwrap.fill(p, 108, break_on_hyphens=False) for p in paragraphs)
    return "\n" + "\n\n".join([table, *wrapped]) + "\n"


def split(text: str, name: str) -> tuple[str, str, str]:
    """Up to and with the first marker, between the markers, from the second on."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"{name} must have, once and in this order, the lines {BEGIN} and {END}")
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:start], text[start:end], text[end:]


def promises(between: str) -> list[tuple[str, ...]]:
    """Title and budget of every row, and the kill rate: what no machine changes."""
    rows = [line for line in between.splitlines() if line.startswith("|")]
    paragraphs = (" ".join(paragraph.split()) for paragraph in between.split("\n\n"))
    return [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in rows[2:]] + [
        (paragraph,) for paragraph in paragraphs if paragraph.startswith(KILLS)
    ]


def _difference(old: list[tuple[str, ...]], new: list[tuple[str, ...]]) -> str:
    """The first row that only one of them has; empty where both are the same."""
    for kind, ours, others in (("lacks", new, old), ("has", old, new)):
        if alone := [row for row in ours if row not in others]:
            return f"it {kind} {', '.join(alone[0])!r}"
    return "" if old == new else "its order"


def _report(path: Path) -> dict:
    """The record of a climb of the whole ladder: a part of it must not look like all of it."""
    if not path.is_file():
        raise ValueError(f"there is no {path}: run python -m parity first")
    record = json.loads(path.read_text(encoding="utf-8"))
    climbed = {rung["name"] for rung in record.get("rungs", [])}
    if missing := [rung.name for rung in ladder.RUNGS if rung.name not in climbed]:
        raise ValueError(f"{path} lacks the rungs {', '.join(missing)}: run the whole "
                         "python -m parity first")
    return record


def _row(rung: dict) -> tuple[str, ...]:
    budget = "; ".join(f"{gate['gate']}: {gate['budget']}" for gate in rung["gates"])
    worst = [_worst(rung, gates) for gates in ("DA", "DZB")]
    cells = (rung["title"], budget, f"{rung['compared']:,}", *worst)
    return tuple(cell.replace("|", "/") for cell in cells)


def _worst(rung: dict, gates: str) -> str:
    """The largest share at these gates, to two digits; bits that are equal have none."""
    held = [gate for gate in rung["gates"] if gate["gate"] in gates]
    if any(gate["failed"] for gate in held):
        return "fails"
    shares = [float(gate["worst"]) for gate in held if gate["budget"] != "equal bits"]
    if not shares:
        return "equal" if held else ""
    return f"{100 * max(shares):.2g} %" if max(shares) >= 1e-4 else "< 0.01 %"


def _options(arguments) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROG, description=__doc__)
    parser.add_argument("--report", default="parity_report/report.json", metavar="FILE",
                        help="what python -m parity wrote (default: %(default)s)")
    parser.add_argument("--readme", default="README.md", metavar="FILE",
                        help="the file to rewrite (default: %(default)s)")
    parser.add_argument("--check", action="store_true",
                        help="rewrite nothing; exit code 1 where the table is out of date")
    return parser.parse_args(arguments)
