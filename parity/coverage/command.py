"""`python -m parity reach` runs the ladder and names the functions that no rung runs, by room."""

import argparse
import json
import textwrap
from collections.abc import Sequence
from datetime import date
from itertools import chain

from paddle_impl.process.runtime import core_count, import_paddle
from parity import cases, coverage, ladder, report, workers
from parity.mutants import reach


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    with workers.pool(min(options.jobs, len(ladder.RUNGS))) as pool:
        seen = pool.map(run_by, [rung.name for rung in ladder.RUNGS])
        run = coverage.named(set(chain.from_iterable(seen)))
    for place in coverage.places(run):
        count = len(place.run) + len(place.others)
        print(f"{place.path}: {len(place.run)} of {count} run; {place.decision}")
        for name in place.others:
            print(f"    {name}")
    print(f"\n{textwrap.fill(coverage.summary(run), 100)}")
    if options.write:
        record = {"commit": report.commit(), "date": date.today().isoformat(), "run": run}
        coverage.RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


def run_by(rung: str) -> set[tuple[str, int]]:
    """(file, first line) of each function that the rung runs, on one of the fixtures."""
    import_paddle("cpu")
    ((_, codes, _),) = reach.recorded([rung], [cases.case(cases.CASES[0])])
    return {(code.co_filename, code.co_firstlineno) for code in codes}


def _options(arguments) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m parity reach", description=__doc__)
    parser.add_argument("--write", action="store_true",
                        help="also write the list that the reports and docs/parity.md count")
    parser.add_argument("--jobs", type=int, default=core_count(), metavar="N",
                        help="number of processes (default: one for each core, %(default)s)")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    return options
