"""Draw loss, learning rate and score of several training runs in one picture, and tell the ends.

    python scripts/compare_runs.py output/a output/b --output comparison.png
    python scripts/compare_runs.py sweep/*/ --score valid_perplexity --json

A RUN is a run's --output_dir, or its metrics.jsonl, from which all numbers are read. A folder
without metrics is named and passed over.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import args  # noqa: E402
from paddle_impl.tracking import METRICS  # noqa: E402
from paddle_impl.tracking.curves import (  # noqa: E402
    Curve,
    best_of,
    check_ending,
    draw_runs,
    read_curves,
)

PROG = "compare_runs.py"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROG, description=__doc__, allow_abbrev=False,
        usage="%(prog)s RUN... [--output PICTURE] [--score NAME] [--over_tokens] [--json]",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--output", type=Path, help="the picture to write, .png or .svg")
    parser.add_argument("--score", default="valid_loss",
                        help="the number in metrics.jsonl that is compared (default: valid_loss)")
    parser.add_argument("--greater_is_better", action="store_true",
                        help="the best score is the greatest one, not the least")
    parser.add_argument("--over_tokens", action="store_true",
                        help="draw the loss over the tokens that were trained on too")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    words = parse(argv)
    try:
        if words.output:
            check_ending(words.output)
        runs = read_runs(words.runs)
        check_score(runs, words.score)
        rows = [row(name, curves, words.score, words.greater_is_better)
                for name, curves in runs.items()]
        print(json.dumps(rows, indent=2) if words.json else table(rows))
        for one in rows:
            if one["missing"]:
                print(f"warning: {one['run']} has no {', '.join(one['missing'])}", file=sys.stderr)
        if words.output:
            draw_runs(words.output, runs, words.score, words.greater_is_better,
                      over_tokens=words.over_tokens)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)
    return 0


def read_runs(names: Sequence[str]) -> dict[str, dict[str, Curve]]:
    """The curves of each run by its name as given; ValueError where there are none."""
    found: dict[str, dict[str, Curve]] = {}
    for name in dict.fromkeys(names):
        path = Path(name)
        if not path.exists():
            raise ValueError(f"there is no {path}")
        curves = read_curves(path / METRICS) if (path / METRICS).is_file() else \
            {} if path.is_dir() else read_curves(path)
        if curves:
            found[str(path)] = curves
        else:
            print(f"warning: {name} is passed over: it holds no metrics", file=sys.stderr)
    if not found:
        raise ValueError(f"no run holds metrics: name the --output_dir of a run, which has a "
                         f"{METRICS}")
    return found


def check_score(runs: dict[str, dict[str, Curve]], score: str) -> None:
    known = sorted({name for curves in runs.values() for name in curves})
    if score not in known:
        (nearest,) = get_close_matches(score, known, n=1, cutoff=0.0)
        raise ValueError(f"--score {score} is in none of the runs; the nearest one is {nearest} of "
                         f"{', '.join(known)}")


def row(name: str, curves: dict[str, Curve], score: str, greater_is_better: bool,
        ) -> dict[str, Any]:
    """The final numbers of a run; None where it has none."""
    names = dict.fromkeys(("loss", "lr", "valid_loss", score))
    ends = {one: [*curves[one].values()][-1] if one in curves else None for one in names}
    step, best = best_of(curves[score], greater_is_better) if score in curves else (None, None)
    return {"run": name, "steps": max(max(curve) for curve in curves.values()),
            **{f"last_{one}": value for one, value in ends.items()},
            f"best_{score}": best, "best_step": step,
            "missing": [one for one in names if one not in curves]}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as aligned text, a line for each run."""
    head = [name for name in rows[0] if name != "missing"]
    lines = [head] + [[_cell(one[name]) for name in head] for one in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]),
                   *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))])
        for line in lines)


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
