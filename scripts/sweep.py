"""Run a training command with many settings, and see which are the best: a hyperparameter sweep.

    python scripts/sweep.py GRID.json --output_dir sweep
    python scripts/sweep.py --preset f20 --total 20 --output_dir sweep --set input_dir=data ...

GRID.json names the command, its fixed flags, and parameters with the values to try; see
docs/sweeps.md. Each run is a process with a folder of its own. The same command line goes on with
a sweep that was stopped, and takes part in one that runs, on this machine or on another one that
shares the folder.

Exit codes: 0 all runs are over; 1 and all of them failed; 2 a user's mistake; 130 and 143 stopped.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sweeping import picture  # noqa: E402
from sweeping.folder import DONE, FAILED, Folder  # noqa: E402
from sweeping.grid import Grid, preset, read_grid  # noqa: E402
from sweeping.points import grid_points, random_points  # noqa: E402
from sweeping.tpe import Tpe  # noqa: E402
from sweeping.workers import Plan, work  # noqa: E402

import args  # noqa: E402
from paddle_impl.process.stopping import exit_code  # noqa: E402

PROG = "sweep.py"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROG, description=__doc__, allow_abbrev=False,
        usage="%(prog)s (GRID.json | --preset NAME) --output_dir DIR [--FLAG VALUE ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("grid", nargs="?", metavar="GRID.json", help="command, flags and parameters of the sweep")
    add("--preset", help="a grid of the project instead: f20 (12,960 points) or lr")
    add("--output_dir", required=True, help="folder of the sweep; one that is there is continued")
    add("--sampler", choices=("grid", "random", "tpe"), default="grid",
        help="every point; points drawn at random; or chosen by optuna's TPE from the results "
             "(default: grid)")
    add("--total", type=int, help="runs: a seeded sample of the grid (default: all of the grid; "
                                  "random and tpe need it)")
    add("--seed", type=int, default=0, help="of the sample and of random and tpe (default: 0)")
    add("--workers", type=int, default=1, help="runs at the same time; cores are shared (default: "
                                               "1)")
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", action="extend",
        help="flags of the command for every run; a parameter of the grid is fixed by it")
    add("--without", nargs="+", default=[], metavar="NAME", action="extend",
        help="parameters of the grid to leave out")
    add("--retry_failed", action="store_true", help="run again what has failed")
    words = parser.parse_args(argv)
    if (words.grid is None) == (words.preset is None):
        parser.error("give either GRID.json or --preset")
    if words.sampler != "grid" and words.total is None:
        parser.error(f"--sampler {words.sampler} needs --total N")
    if words.workers < 1 or (words.total is not None and words.total < 1):
        parser.error("--workers and --total must be at least 1")
    return words


def main(argv: list[str] | None = None) -> int:
    words = parse(argv)
    try:
        path = preset(words.preset) if words.preset else Path(words.grid)
        grid = read_grid(path, words.set, words.without)
        plan, folder = make_plan(words, grid)
        signal = run(words, grid, plan, folder)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)
    except KeyboardInterrupt:
        return 130
    if signal is not None:
        return exit_code(signal)
    return 0 if any(one.status == DONE for one in folder.results.values()) else 1


def make_plan(words: argparse.Namespace, grid: Grid) -> tuple[Plan, Folder]:
    """The runs to do; ValueError if the command refuses every one. Then the folder is made."""
    tpe, points = None, []
    if words.sampler == "tpe":
        tpe = Tpe(grid, words.seed)
    elif words.sampler == "random":
        points = random_points(grid, words.total, words.seed)
    else:
        points = grid_points(grid, words.total, words.seed)
    reason = None
    for settings in points or random_points(grid, 20, words.seed):
        refused = grid.command.refusal(settings)
        if refused is None:
            reason = None
            break
        reason = reason or refused
    if reason is not None:
        raise ValueError(f"{grid.command.name} refuses every run: {reason}")
    folder = Folder(Path(words.output_dir), grid.command.name)
    if words.retry_failed:
        folder.forget_failed()
    return Plan(folder, grid.command, points, tpe, words.total or 0), folder


def run(words: argparse.Namespace, grid: Grid, plan: Plan, folder: Folder) -> str | None:
    """Work on the plan, and tell the best; returns the signal that ended it early, or None."""
    began = plan.finished()
    tqdm.write(f"{plan.total} runs of {grid.command.name}, {began} of them over, {words.workers} "
               "at a time")
    with tqdm(total=plan.total, initial=began, unit="run", dynamic_ncols=True, leave=False,
              disable=not sys.stderr.isatty()) as bar:

        def finished(name: str | None) -> None:
            if name is None:
                bar.set_postfix_str("waiting for runs of other processes")
            else:
                folder.write_tables(grid.score, grid.greater_is_better)
                tqdm.write(told(grid, folder, name))
            bar.total = plan.total
            bar.update(plan.finished() - bar.n)

        signal = work(plan, folder, grid.command, words.workers, tqdm.write, finished)
    folder.refresh()
    folder.write_tables(grid.score, grid.greater_is_better)
    if folder.results:
        try:
            picture.draw(folder.path / "sweep.png", folder, [*grid.parameters], grid.score,
                         grid.greater_is_better)
        except ValueError as error:  # no matplotlib
            print(f"warning: sweep.png is not drawn: {error}")
    over = [folder.results[name] for name in plan.names if name in folder.results]
    failed = sum(one.status == FAILED for one in over)
    print(f"{len(over)} of {plan.total} runs are over, {failed} failed; see "
          f"{folder.path / 'sweep.csv'}")
    ranked = folder.ranked(grid.score, grid.greater_is_better)
    if ranked and folder.results[ranked[0]].status == DONE:
        print(f"best: {told(grid, folder, ranked[0])}\n"
              f"again: python {grid.command.name} {folder.path / ranked[0]}/settings.json "
              "--output_dir NEW")
    return signal


def told(grid: Grid, folder: Folder, name: str) -> str:
    """A run in one line: its score or its error, and its parameters."""
    result, settings = folder.results[name], folder.settings[name]
    values = ", ".join(f"{flag} {settings[flag]}" for one in grid.parameters
                       for flag in one.split("+") if flag in settings)
    score = result.score(grid.score, grid.greater_is_better)
    if result.status == FAILED:
        return f"run {name} failed: {result.error} ({values})"
    return f"run {name}: {grid.score} {'not measured' if score is None else f'{score:.6g}'} " \
           f"({values})"


if __name__ == "__main__":
    sys.exit(main())
