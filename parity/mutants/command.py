"""`python -m parity mutants` plants bugs in the code, one by one, and runs the ladder on each.

A bug is killed if a rung fails. The exit code is 0 only where the gates D, Z and A kill every bug
and no gate fails on a control, which is a harmless change.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from tqdm import tqdm

from paddle_impl.process.runtime import core_count
from parity import report
from parity.mutants import KILL_TABLE, load_table, origin, run
from parity.mutants.mutant import Mutant
from parity.mutants.tables import MUTANTS, ROOMS
from parity.report import kills

ROOT = Path(__file__).resolve().parent.parent.parent
PART = 20  # mutants after which what is known is written
MEASURED = ("paddle_impl", "data_tools", "parity")  # the code that a kill table depends on


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    chosen = _chosen(options)
    if not chosen:
        if options.write_table:  # without the records whose mutants are gone
            _write(KILL_TABLE, _together(load_table(), {"mutants": []}))
        print("nothing to plant: the kill table has every record of the code as it is")
        return 0
    start = time.perf_counter()
    try:
        commit = _commit(of_table=options.write_table)
        order = {mutant.name: number for number, mutant in enumerate(chosen)}
        records: list[dict] = []
        for part in _examined(chosen, options.jobs):
            records += _signed(part, commit)
            records.sort(key=lambda record: order[record["name"]])
            table = {
                "seconds": round(time.perf_counter() - start, 1), "versions": report.versions(),
                "mutants": records,
            }
            _write(Path(options.output) / "kills.json", table)
            if options.write_table:
                if _commit(of_table=True) != commit:
                    raise ValueError("another commit was checked out during the run")
                _write(KILL_TABLE, _together(load_table(), table))
    except (ValueError, RuntimeError, AssertionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(["", *_summary(records), *_verdict(table)]))
    return 0 if all(map(_as_wanted, records)) else 1


def _chosen(options: argparse.Namespace) -> list[Mutant]:
    wanted = [mutant for mutant in MUTANTS
              if (options.only is None or mutant.name in options.only)
              and (options.room is None or mutant.room in options.room)]
    if not options.stale:
        return wanted
    old = {record.name for record in origin.stale(load_table() or {"mutants": []})}
    return [mutant for mutant in wanted if mutant.name in old]


def _options(arguments) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m parity mutants", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="plant only these mutants")
    parser.add_argument("--room", nargs="+", choices=ROOMS, metavar="ROOM",
                        help="plant only the mutants of these rooms (parts of the code): "
                             f"{', '.join(ROOMS)}")
    parser.add_argument("--stale", action="store_true",
                        help="plant only the mutants whose records in the kill table are missing, "
                             "or were obtained from other code than that of today")
    parser.add_argument("--output", default="parity_report", metavar="DIR",
                        help="directory of kills.json (default: %(default)s)")
    parser.add_argument("--write-table", action="store_true",
                        help="also write the table that is committed with the code")
    parser.add_argument("--jobs", type=int, default=core_count(), metavar="N",
                        help="number of processes (default: one for each core, %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    options = parser.parse_args(arguments)
    names = {mutant.name for mutant in MUTANTS}
    if unknown := [name for name in options.only or () if name not in names]:
        parser.error(f"no mutant is called {', '.join(map(repr, unknown))}; --list names them")
    if options.write_table and options.only:
        parser.error("--write-table wants all mutants, those of whole rooms, or the --stale ones: "
                     "leave out --only")
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    if options.list:
        print("\n".join(f"{m.room:10s} {m.name:48s} {m.where}" for m in MUTANTS))
        parser.exit()
    return options


def _commit(of_table: bool) -> str:
    """The commit that is checked out; empty without git.

    of_table: ValueError without git, or where the code differs from the commit.
    """
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *MEASURED)
        commit = _git("rev-parse", "HEAD").strip()
    except (OSError, subprocess.CalledProcessError) as error:
        if of_table:
            raise ValueError(f"--write-table records the commit, but git failed: {error}") from None
        return ""
    changed = [line[3:] for line in changed.splitlines() if Path(line[3:]).name != KILL_TABLE.name]
    if of_table and changed:
        raise ValueError(
            f"--write-table records the commit, but the code differs from it: "
            f"{', '.join(changed[:3])}{' ...' if changed[3:] else ''} changed since "
            f"{commit[:12]}. Commit first"
        )
    return commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _signed(records: list[dict], commit: str) -> list[dict]:
    """The records with the commit, the day, and the digest of what they stand on."""
    mutants = {mutant.name: mutant for mutant in MUTANTS}
    today = date.today().isoformat()
    return [
        record | {"commit": commit, "date": today,
                  "code": origin.digest(mutants[record["name"]], record)}
        for record in records
    ]


def _together(before: dict | None, table: dict) -> dict:
    """The committed table with these records in the place of older ones.

    `seconds` and `versions` are those of the last run of all mutants.
    """
    if before is None or len(table["mutants"]) == len(MUTANTS):
        return table
    records = {record["name"]: record for record in before["mutants"] + table["mutants"]}
    return before | {
        "mutants": [records[mutant.name] for mutant in MUTANTS if mutant.name in records]}


def _examined(chosen: Sequence[Mutant], jobs: int) -> Iterator[list[dict]]:
    """Examine the mutants; their records in parts, each of which is written when it is done.

    So a run that is interrupted loses its last part only.
    """
    part = []
    with tqdm(total=len(chosen), unit="mutant", disable=not sys.stderr.isatty()) as bar:
        for number, record in enumerate(run.examine_all(chosen, jobs), start=1):
            part.append(record)
            tqdm.write(_line(record), file=sys.stdout)
            sys.stdout.flush()
            bar.update()
            if len(part) == PART or number == len(chosen):
                yield part
                part = []


def _line(record: dict) -> str:
    """Verdict, room, name, and the rung that failed first at each fixture, exact gates | gate B."""
    verdict = {(False, True): "killed", (False, False): "SURVIVED",
               (True, True): "FALSE ALARM", (True, False): "let through"}
    seen = ["not asked" if at is None else
            " ".join(f"{one['rung']}/{one['gate']}" if one else "-" for one in at.values())
            for at in (record["killed"], record["float32"])]
    word = verdict[record["equivalent"], _seen(record)]
    return f"{word:11s} {record['room']:10s} {record['name']:48s} {seen[0]:28s} | {seen[1]}"


def _seen(record: dict) -> bool:
    """Whether the mutant broke a rung; gate B counts for controls only."""
    return kills.failed(record, "killed") or (
        record["equivalent"] and kills.failed(record, "float32"))


def _as_wanted(record: dict) -> bool:
    return _seen(record) != record["equivalent"]


def _summary(records: list[dict]) -> list[str]:
    """A row for each room: bugs, bugs killed, bugs that gate B sees, controls let through."""
    told = kills.counts({"mutants": records})
    lines = [f"{'room':12s} {'bugs':>5s} {'killed':>7s} {'rate':>7s} {'float32':>12s}   controls"]
    for room, own in [*told["rooms"].items(), ("all", told)]:
        rate = f"{own['killed'] / own['bugs']:.1%}" if own["bugs"] else "-"
        lines.append(
            f"{room:12s} {own['bugs']:5d} {own['killed']:7d} {rate:>7s} "
            f"{own['by_float32']:5d} of {own['asked']:3d}   "
            f"{own['let_through']} of {own['harmless']} let through")
    return lines


def _verdict(table: dict) -> list[str]:
    wrong = [record for record in table["mutants"] if not _as_wanted(record)]
    lines = [f"{'false alarm' if record['equivalent'] else 'survivor'}: {record['name']} "
             f"({record['room']}, {record['where']})" for record in wrong]
    return [*lines, f"{len(table['mutants'])} mutants in {table['seconds']:.0f} s"]


def _write(path: Path, table: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
