"""`python -m parity` compares paddle_impl with PyTorch, rung by rung.

The exit code is 0 only where every comparison passes.
"""

import argparse
import importlib
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import args
from paddle_impl.process.runtime import core_count, give_memory_back, import_paddle
from parity import coverage, ladder, report
from parity.cases import Case
from parity.cases import adapter as cases_adapter
from parity.cases import checkpoint as cases_checkpoint
from parity.compare import Place
from parity.mutants import load_table
from parity.report import kills, kinds

# The first argument chooses one of these commands. Any other argument is an option of the climb.
COMMANDS = {"mutants": "parity.mutants.command", "docs": "parity.report.pages",
            "reach": "parity.coverage.command"}

# More processes would not help: the longest rung alone takes a fifth of the ladder's time. Each
# process takes 1.3 GiB.
MOST_JOBS = 4


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        return importlib.import_module(COMMANDS[words[0]]).main(words[1:])
    options = _options(words)
    if options.list:
        for rung in ladder.RUNGS:
            print(f"{rung.name:10s} {rung.title} (gates {', '.join(rung.gates)})")
        return 0
    start = time.perf_counter()
    try:
        names, on, subject = _chosen(options)
    except (ValueError, OSError) as error:
        args.fail("python -m parity", error)
    if on is not None:
        print(f"{subject}; takes about {cases_checkpoint.memory_gib(on[0]):.0f} GiB of memory",
              flush=True)
    climbed = []
    try:
        for number, (rung, own) in enumerate(_climb(names, on, options.jobs), start=1):
            climbed.append((rung, own))
            print(report.rung_line(number, rung, own), flush=True)
    except BrokenProcessPool:
        args.fail("python -m parity", MemoryError(
            "a process died, of a crash or for want of memory: --jobs 1 climbs in one process"))
    results = [result for _, own in climbed for result in own]
    seconds = time.perf_counter() - start
    remarks = [] if on is None else cases_checkpoint.remarks(results)
    run, table = coverage.recorded(), load_table()
    record = report.write(Path(options.output), climbed, coverage.lines(run), seconds, table,
                          subject="; ".join([subject, *remarks]))
    print("\n".join(["", *report.failure(results), *remarks, coverage.lines(run)[0],
                     *([f"planted bugs: {kills.line(record['kills'])}"] if table else []),
                     f"{Path(options.output) / 'report.html'}, report.md and report.json",
                     f"compared: {kinds.told(record['kinds'])}",
                     report.verdict(results, seconds)]))
    return 0 if report.passed(results) else 1


def _chosen(options) -> tuple[list[str] | None, list[Case] | None, str]:
    """(names of rungs, cases, description for the reports).

    The cases are None for the fixtures; None as names stands for all rungs.
    """
    if options.checkpoint is None:
        for name, use in (("data", "gives the tokens for"), ("adapter", "is on the weights of")):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name} {use} --checkpoint: name a checkpoint too")
        return options.only, None, ""
    if options.adapter is not None:
        if options.only:
            raise ValueError("--only chooses rungs, and --adapter has one: leave --only out")
        import_paddle("cpu")
        case, subject = cases_adapter.from_adapter(
            Path(options.checkpoint), Path(options.adapter), options.data,
            ladder.function("paddle_side", "adapter.opened"))
        return None, [case], subject
    fit = [rung.name for rung in ladder.RUNGS if rung.checkpoint]
    if unfit := [name for name in options.only or () if name not in fit]:
        raise ValueError(f"{', '.join(unfit)} runs on the fixtures only; --checkpoint has the "
                         f"rungs {', '.join(fit)}")
    import_paddle("cpu")  # before the Paddle side is loaded: Paddle reads its settings on import
    open_checkpoint = ladder.function("paddle_side", "weights.opened")
    case, subject = cases_checkpoint.from_checkpoint(
        Path(options.checkpoint), options.data, open_checkpoint)
    return options.only or fit, [case], subject


def _climb(names: list[str] | None, on: list[Case] | None, jobs: int):
    """Run the rungs in several processes; a user's checkpoint in one, for want of memory."""
    if on is None and jobs > 1 and len(names or ladder.RUNGS) > 1:
        return ladder.climb_together(names, jobs)
    import_paddle("cpu")  # before the sides are loaded: Paddle reads its settings on import
    adapted = on is not None and isinstance(on[0], cases_adapter.AdaptedCase)
    return ladder.climb(names, on, began=_tell,
                        rungs=[ladder.ADAPTER] if adapted else ladder.RUNGS)


def _tell(place: Place, side: str) -> None:
    give_memory_back()  # the other side's model is no longer needed
    print(f"   {place.rung}, gate {place.gate}: {side} ...", file=sys.stderr, flush=True)


def _options(arguments) -> argparse.Namespace:
    names = [rung.name for rung in ladder.RUNGS]
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__,
                                     epilog=f"Commands of their own: {', '.join(COMMANDS)}.")
    parser.add_argument("--list", action="store_true", help="print the rungs and stop")
    parser.add_argument("--only", nargs="+", choices=names, metavar="RUNG",
                        help=f"run only these rungs: {', '.join(names)}")
    parser.add_argument("--checkpoint", metavar="DIR",
                        help="compare these weights instead of the fixtures: a directory with "
                             "config.json and model.safetensors or its shards, written by "
                             "transformers or run_pretrain.py")
    parser.add_argument("--adapter", metavar="DIR",
                        help="compare the logits of the checkpoint with this LoRA adapter, as peft "
                             "opens both")
    parser.add_argument("--data", metavar="PREFIX",
                        help="read the checkpoint's tokens from PREFIX_ids.npy (default: random "
                             "ids)")
    parser.add_argument("--output", default="parity_report", metavar="DIR",
                        help="directory of report.html, .md and .json (default: %(default)s)")
    parser.add_argument("--jobs", type=int, metavar="N",
                        help=f"processes that share the rungs (default: one for each core, at most "
                             f"{MOST_JOBS}); --checkpoint runs in one process")
    options = parser.parse_args(arguments)
    if options.jobs is not None and options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    if options.checkpoint is not None and (options.jobs or 1) > 1:
        parser.error("--jobs is for the fixtures: --checkpoint runs in one process")
    options.jobs = options.jobs or min(core_count(), MOST_JOBS)
    return options


if __name__ == "__main__":
    sys.exit(main())
