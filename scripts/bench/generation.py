"""Greedy text of one GPT-2, with the same weights and prompts: transformers beside this project.

Each side is a process of its own that writes all texts when told to. The sides take turns in one
run, and a ratio is the median over the turns, since a machine's speed drifts: only ratios of one
run compare. All sides must write the same tokens. Where one differs, the reference computes how far
apart the logits of the two tokens are. A difference within float32's rounding is a tie, after which
the rest of that text may differ; a larger one ends the run. Markdown goes to standard output,
progress to standard error.

    .venv/bin/python scripts/bench/generation.py [--model gpt2-en] [--batch 1,10]
        [--prompt_tokens 64] [--new_tokens 128] [--sides generate,static,plain,native] [--json FILE]

A time holds the prompt as well as the new tokens. Peak memory is the process's while it writes all
texts once more (Linux). CPU only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from data_common import Part, in_turns, machine, run, say
from train import READ_ONCE, WORKLOADS, TrainSide, middle

HERE = Path(__file__).resolve().parent
SIDES = {
    "generate": "transformers' generate",
    "static": "a plain torch loop, static cache",
    "plain": "this project, plain Paddle",
    "native": "this project, C++ step",
}
TORCH_SIDES = ("generate", "static")
# Between logits of two sides: GPT-2 small's differ by up to 5e-6, and a gap is of two of them.
ROUNDING = 5e-5
HEADER = ("side", "new tokens/s", "x {first}: median (middle half)", "ms a step",
          "peak memory, MiB")


def main() -> None:
    options = _options()
    for name in READ_ONCE:
        os.environ.pop(name, None)
    if options.json:
        options.json.write_text("")
    print(f"{machine()}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        say(f"{options.model}: writing the weights")
        try:
            written = run([sys.executable, HERE / "train_sides" / "write_weights.py",
                           WORKLOADS.get(options.model, options.model), folder, 1,
                           options.prompt_tokens + options.new_tokens]).output
            shape = json.loads(written.rpartition("answer ")[2])
            for batch in options.batch:
                part = _measured(batch, folder, shape, options)
                print(part.markdown(), flush=True)
                _append(options.json, part)
        except (RuntimeError, ValueError) as error:
            raise SystemExit(f"generation.py: {error}") from None


def _append(path: Path | None, part: Part) -> None:
    if path:
        with path.open("a") as file:
            for record in part.figures["sides"]:
                file.write(json.dumps(part.figures["workload"] | record) + "\n")


def _measured(batch: int, folder: str, shape: dict, options: argparse.Namespace) -> Part:
    title, sides, left_out = f"{options.model}, batch {batch}", {}, []
    try:
        for name in options.sides:
            say(f"{title}: warming up {SIDES[name]}")
            side = TrainSide(_command(name, batch, folder, options))
            sides[name] = side
            if reason := side.ready.get("left_out"):
                left_out.append(f"{SIDES[name]} is left out: {reason}")
                sides.pop(name).close()
                say(left_out[-1])
        if not sides:
            raise ValueError(f"no side is left: {' '.join(left_out)}")
        answers, differing = _answers(title, sides, options)
    finally:
        for side in sides.values():
            side.close()
    workload = {"machine": machine(), "model": options.model, "batch": batch,
                "prompt_tokens": options.prompt_tokens, "new_tokens": options.new_tokens,
                "layers": shape["layers"], "width": shape["width"],
                "parameters": shape["parameters"]}
    records = figures(answers, batch, options.new_tokens)
    return _part(workload, records, differing, left_out, options.rounds)


def _command(side: str, batch: int, folder: str, options: argparse.Namespace) -> list:
    python = options.torch_python if side in TORCH_SIDES else sys.executable
    return [python, HERE / "generation_sides" / "side.py", side, folder, batch,
            options.prompt_tokens, options.new_tokens]


def _answers(title: str, sides: dict[str, TrainSide], options) -> tuple[dict[str, dict], dict]:
    """(the answers of each side: seconds of its turns, memory; number of tokens that differ)."""
    first = next(iter(sides.values()))
    tokens = {name: side.ready.pop("tokens") for name, side in sides.items()}
    differing = check_same(
        tokens, lambda row, at, token: first.ask(f"gap {json.dumps([row, at, token])}")
    )
    seconds = in_turns({name: side.step for name, side in sides.items()}, options.rounds, title)
    return {name: side.ready | {"seconds": seconds[name], "peak_mib": side.ask("memory")}
            for name, side in sides.items()}, differing


def check_same(
    tokens: dict[str, list[list[int]]], gap: Callable[[int, int, int], float]
) -> dict[str, int]:
    """How many tokens of each side differ from the first side's; ValueError where one should not.

    tokens: of each text, by side. gap: (text, place, token) -> how far the first side's logit of
    that token lies below the one it chose. Behind a first difference the texts are different ones.
    """
    first, *others = tokens
    differing = dict.fromkeys(tokens, 0)
    for side in others:
        for row, (one, other) in enumerate(zip(tokens[first], tokens[side], strict=True)):
            unlike = [at for at, pair in enumerate(zip(one, other, strict=True))
                      if pair[0] != pair[1]]
            if not unlike:
                continue
            at = unlike[0]
            if not (apart := gap(row, at, other[at])) <= ROUNDING:  # NaN explains nothing
                raise ValueError(
                    f"{side} writes token {other[at]} where {first} writes {one[at]}, new token "
                    f"{at + 1} of text {row + 1}, and their logits are {apart:.1e} apart, more "
                    f"than {ROUNDING}: not the same computation"
                )
            differing[side] += len(unlike)
    return differing


def figures(answers: dict[str, dict], batch: int, new_tokens: int) -> list[dict]:
    """One record a side; ratios are to the first side, round by round."""
    reference = next(iter(answers.values()))["seconds"]
    records = []
    for side, own in answers.items():
        median = statistics.median(own["seconds"])
        ratios = [r / o for r, o in zip(reference, own["seconds"], strict=True)]
        records.append({"side": side, **own, "tokens_per_s": batch * new_tokens / median,
                        "ms_per_step": 1e3 * median / new_tokens,
                        "times_first": middle(ratios)})
    return records


def _part(workload: dict, records: list[dict], differing: dict[str, int], left_out: list[str],
          rounds: int) -> Part:
    rows = []
    for own in records:
        median, low, high = own["times_first"]
        rows.append((SIDES[own["side"]], f"{own['tokens_per_s']:,.1f}",
                     f"{median:.2f} ({low:.2f} to {high:.2f})", f"{own['ms_per_step']:.1f}",
                     f"{own['peak_mib']:,.0f}"))
    header = [cell.format(first=SIDES[records[0]["side"]]) for cell in HEADER]
    all_tokens = workload["batch"] * workload["new_tokens"]
    unlike = [f"{count} of {side}" for side, count in differing.items() if count]
    same = (f"Of {all_tokens} tokens a side, those differ that follow a tie of two logits within "
            f"{ROUNDING}: {', '.join(unlike)}." if unlike else
            f"All {all_tokens} tokens are the same on all sides.")
    since = {own["memory_since"] for own in records}
    threads = ", ".join(f"{own['side']} {own['threads']}" for own in records)
    versions = ", ".join(dict.fromkeys(own["framework"] for own in records))
    notes = [
        f"{workload['layers']} layers x {workload['width']}, "
        f"{workload['parameters'] / 1e6:.1f} million parameters, float32, greedy, "
        f"{workload['prompt_tokens']} tokens of prompt and {workload['new_tokens']} new ones.",
        f"{same} {rounds} alternated rounds.", *(f"{reason}." for reason in left_out),
        f"Memory since {' or '.join(sorted(since))}. Threads: {threads}. {versions}.",
    ]
    return Part(f"{workload['model']}, {workload['batch']} at once", notes, header, rows,
                {"workload": workload, "sides": records})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gpt2-en", help="6x768 or a registry name")
    parser.add_argument("--batch", type=_counts, default=[1, 10], metavar="N,N",
                        help="prompts at once (default: 1,10)")
    parser.add_argument("--prompt_tokens", type=int, default=64)
    parser.add_argument("--new_tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=10, help="of alternation")
    parser.add_argument("--sides", type=_sides, metavar="SIDE,SIDE", default=tuple(SIDES),
                        help=f"of {', '.join(SIDES)}; ratios are to the first")
    parser.add_argument("--torch_python", metavar="PATH", default=sys.executable,
                        help="a Python in whose environment torch is installed (default: this one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all numbers, a line for a side")
    options = parser.parse_args()
    for name in ("prompt_tokens", "new_tokens", "rounds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    return options


def _counts(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"expected counts of at least 1, got {text}")
    return counts


def _sides(text: str) -> tuple[str, ...]:
    unknown = set(text.split(",")) - set(SIDES)
    if unknown:
        raise argparse.ArgumentTypeError(f"no side {', '.join(sorted(unknown))}: there are "
                                         f"{', '.join(SIDES)}")
    return tuple(text.split(","))


if __name__ == "__main__":
    main()
