"""`python -m parity docs` writes the results in README.md and docs/parity.md, from report.json.

--check compares only what is the same on every machine: the rungs, their order, titles and budgets,
and the counts of planted bugs. Numbers of comparisons, shares, seconds and versions may differ. It
also fails where a page says that more of the planted bugs are of the code as it is than are, and
names those that are not.
"""

import argparse
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import args
from parity import coverage, ladder
from parity.mutants import load_table, origin
from parity.report import kills, kinds

PROG = "python -m parity docs"
HEAD = ("rung", "budget", "comparisons", "worst in float64", "worst in float32")
KILLS = "Planted bugs: "
CURRENT = "Planted in the code as it is: "


class Block(NamedTuple):
    """The part of a page between two markers; make: the report's record -> its text."""

    page: str
    begin: str
    end: str
    make: Callable[[dict], str]


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        record, planted = _report(Path(options.report)), load_table()
        record["kills"] = kills.told(planted) if planted else None  # of the code as it is now
        found = [_place(Path(options.root), block) for block in BLOCKS]
    except (OSError, ValueError) as error:
        args.fail(PROG, error)
    stale = 0
    for block, (path, before, old, after) in zip(BLOCKS, found, strict=True):
        new = block.make(record)
        if not options.check:
            path.write_text(before + new + after, encoding="utf-8")
            continue
        if apart := _difference(promises(old), promises(new)):
            print(f"{path}: what it says of parity is out of date ({apart}): run {PROG}")
            stale = 1
        if rooms := overclaimed(old, record["kills"]):
            print(f"{path}: it says that more of the planted bugs are of the code as it is than "
                  f"are, in {', '.join(rooms)}. Plant them again with {origin.COMMAND}, or let "
                  f"{PROG} write what is true. On older code or missing:")
            print("\n".join(f"    {name} ({room}): {why}" for name, room, why
                            in origin.stale(planted) if room in rooms))
            stale = 1
    return stale


def headline(record: dict) -> str:
    """For the README: the verdict, the number of rungs and the kill rate."""
    paragraphs = [f"**{record['verdict']}**, on {len(record['rungs'])} rungs: "
                  f"{kinds.told(record['kinds'])}."]
    if record["kills"]:
        paragraphs += [f"{KILLS}{record['kills']['summary'].split(', made on ')[0]}.",
                       f"{CURRENT}{kills.currency(record['kills'])}."]
    return _wrapped(paragraphs)


def table(record: dict) -> str:
    """For docs/parity.md: a row a rung, the verdict, the kill rate."""
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, record["rungs"])]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    facts = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    paragraphs = [f"**{record['verdict']}**, with {facts}. Shares are of the budget.",
                  f"The comparisons are: {kinds.told(record['kinds'])}."]
    if record["kills"]:
        paragraphs += [f"{KILLS}{record['kills']['summary']}.",
                       f"{CURRENT}{kills.currency(record['kills'])}."]
    paragraphs.append(f"{coverage.summary(coverage.recorded())}.")
    return "\n" + lines + "\n" + _wrapped(paragraphs)


BLOCKS = (
    Block("README.md", f"<!-- parity in short: made by {PROG} -->",
          "<!-- end of parity in short -->", headline),
    Block("docs/parity.md", f"<!-- parity table: made by {PROG} -->",
          "<!-- end of parity table -->", table),
)


def split(text: str, block: Block) -> tuple[str, str, str]:
    """(text up to and with the first marker, text between, text from the second marker on)."""
    begin, end = block.begin, block.end
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise ValueError(
            f"{block.page} must have, once and in this order, the lines {begin} and {end}")
    start, stop = text.index(begin) + len(begin), text.index(end)
    return text[:start], text[start:stop], text[stop:]


def promises(between: str) -> list[tuple[str, ...]]:
    """What is the same on every machine: titles and budgets, number of rungs, kill rate.

    How many planted bugs are of the code as it is must be said too; `overclaimed` compares it.
    """
    rows = [line for line in between.splitlines() if line.startswith("|")]
    paragraphs = [" ".join(paragraph.split()) for paragraph in between.split("\n\n")]
    return [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in rows[2:]] + [
        (found,) for found in re.findall(r"on \d+ rungs", between)
    ] + [(paragraph,) for paragraph in paragraphs if paragraph.startswith(KILLS)] + [
        (CURRENT,) for paragraph in paragraphs if paragraph.startswith(CURRENT)
    ]


def overclaimed(between: str, told: dict | None) -> list[str]:
    """Rooms of which more mutants are stale than the page says; a page may say too little."""
    flat = " ".join(between.split())
    claimed = kills.claimed_stale(flat.partition(CURRENT)[2].partition(".")[0])
    stale = told["stale"] if told else {}
    return [room for room, number in stale.items() if number > claimed.get(room, 0)]


def _wrapped(paragraphs: list[str]) -> str:
    filled = (textwrap.fill(p, 108, break_on_hyphens=False) for p in paragraphs)
    return "\n" + "\n\n".join(filled) + "\n"


def _place(root: Path, block: Block) -> tuple[Path, str, str, str]:
    """(the page's file, its text before, between and after the markers)."""
    path = root / block.page
    return path, *split(path.read_text(encoding="utf-8"), block)


def _difference(old: list[tuple[str, ...]], new: list[tuple[str, ...]]) -> str:
    """How the lists differ: the first row that only one of them has; empty where they are equal."""
    for kind, ours, others in (("lacks", new, old), ("has", old, new)):
        if alone := [row for row in ours if row not in others]:
            return f"it {kind} {', '.join(alone[0])!r}"
    return "" if old == new else "its order"


def _report(path: Path) -> dict:
    """The record of a report; ValueError where it lacks some of the ladder's rungs."""
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
    """The largest share at these gates, to two digits; "equal" where only bits were compared."""
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
                        help="the report that python -m parity wrote (default: %(default)s)")
    parser.add_argument("--root", default=".", metavar="DIR",
                        help="directory of README.md and docs/ (default: %(default)s)")
    parser.add_argument("--check", action="store_true",
                        help="write nothing; exit with code 1 where a page is out of date")
    return parser.parse_args(arguments)
