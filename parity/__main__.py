"""`python -m parity`: paddle_impl against PyTorch, rung by rung. Exit code 0 only for parity."""

import argparse
import sys
import time
from pathlib import Path

from paddle_impl.runtime import import_paddle
from parity import ladder, report


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    if options.list:
        for rung in ladder.RUNGS:
            print(f"{rung.name:10s} {rung.title} (gates {', '.join(rung.gates)})")
        return 0
    start = time.perf_counter()
    import_paddle("cpu")  # before the sides are loaded: Paddle reads its settings on import
    climbed = []
    for number, (rung, own) in enumerate(ladder.climb(options.only), start=1):
        climbed.append((rung, own))
        print(report.rung_line(number, rung, own), flush=True)
    results = [result for _, own in climbed for result in own]
    seconds = time.perf_counter() - start
    report.write(Path(options.output), climbed, ladder.NOT_YET, seconds)
    print("\n".join(["", *report.failure(results),
                     "not yet on the ladder: " + "; ".join(ladder.NOT_YET),
                     f"{Path(options.output) / 'report.md'} and report.json",
                     report.verdict(results, seconds)]))
    return 0 if report.passed(results) else 1


def _options(arguments) -> argparse.Namespace:
    names = [rung.name for rung in ladder.RUNGS]
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the rungs and stop")
    parser.add_argument("--only", nargs="+", choices=names, metavar="RUNG",
                        help=f"these rungs only: {', '.join(names)}")
    parser.add_argument("--output", default="parity_report", metavar="DIR",
                        help="where report.json and report.md go (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
