"""One training step, Paddle beside torch: the same GPT, weights, batch, clip and AdamW in float32.

Each side is a process of its own that steps when told to. The sides take turns in one run, and a
ratio is the median over the turns, since a machine's speed drifts: only ratios of one run compare.
Losses and gradient norms of the first steps must agree, or the run ends: speeds of different
computations do not compare. Markdown goes to standard output, progress to standard error.
With the sides lora and peft, which train the same adapter, a line tells what share of the time and
the memory of a full step theirs take.

    .venv/bin/python scripts/bench/train.py [--model 6x768,gpt2-en] [--batch 4] [--seq_len 256]
        [--sides eager,compile,plain,ours] [--device gpu] [--json FILE]

A share of the peak is the step's matrix-product FLOP per second over the fastest float32 product
that the side's own process reached, and over the fastest of all sides. Peak memory is the process's
in the steps after the warm-up (Linux), or on a GPU what the framework has allocated there.
--device gpu has not been run yet, for lack of a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from data_common import Part, Side, in_turns, machine, run, say

HERE = Path(__file__).resolve().parent
SIDES = {
    "eager": "torch eager",
    "compile": "torch.compile, fused AdamW",
    "plain": "Paddle as it comes",
    "threads": "Paddle with OMP_NUM_THREADS set",
    "ours": "this project",
    "lora": "this project, LoRA",
    "peft": "torch eager, LoRA by peft",
}
TORCH_SIDES = ("eager", "compile", "peft")
FULL = {"lora": "ours", "peft": "eager"}  # the full step beside each side that trains an adapter
WORKLOADS = {"6x768": "distilgpt2"}  # names of this bench; all others are of the registry
# Settings that this project makes itself; the other sides must not inherit them.
READ_ONCE = ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE", "FLAGS_use_stride_kernel")
# Absolute, in nats; relative. torch's float32 norm of 38.6 million normal numbers, as many as
# GPT-2's embedding holds, is 0.27 % short.
LOSS_TOLERANCE, NORM_TOLERANCE = 1e-4, 5e-3
PRODUCT_TURNS = 3
SPINNING = 0.3  # seconds that idle OpenMP threads of the side before keep the cores busy
HEADER = ("side", "tokens/s", "x {first}: median (middle half)", "of its own peak",
          "of the highest peak ({peak:.0f} GFLOP/s)", "peak {memory}, MiB")


class TrainSide(Side):
    def ask(self, question: str):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self._answer()

    def step(self) -> float:
        time.sleep(SPINNING)
        return self.ask("step")


def main() -> None:
    options = _options()
    for name in READ_ONCE:
        os.environ.pop(name, None)
    if options.json:
        options.json.write_text("")
    print(f"{machine()}\n", flush=True)
    for name in options.model:
        try:
            part = _measured(name, options)
        except (RuntimeError, ValueError) as error:
            raise SystemExit(f"train.py: {name}: {error}") from None
        print(part.markdown(), flush=True)
        if options.json:
            with options.json.open("a") as file:
                for record in part.figures["sides"]:
                    file.write(json.dumps(part.figures["workload"] | record) + "\n")


def _measured(name: str, options: argparse.Namespace) -> Part:
    model, sides = WORKLOADS.get(name, name), {}
    with tempfile.TemporaryDirectory() as folder:
        say(f"{name}: writing the weights")
        written = run([sys.executable, HERE / "train_sides" / "write_weights.py", model, folder,
                       options.batch, options.seq_len]).output
        workload = {"machine": machine(), "device": options.device, "model": name,
                    "batch": options.batch, "seq_len": options.seq_len,
                    **json.loads(written.rpartition("answer ")[2])}
        try:
            for side in options.sides:
                say(f"{name}: warming up {SIDES[side]}")
                sides[side] = TrainSide(_command(side, folder, options))
            answers = _answers(name, sides, options.rounds)
        finally:
            for side in sides.values():
                side.close()
    records = figures(answers, options.batch * options.seq_len, workload["flop_per_step"])
    return _part(workload, records, options)


def _command(side: str, folder: str, options: argparse.Namespace) -> list:
    python = options.torch_python if side in TORCH_SIDES else sys.executable
    return [python, HERE / "train_side.py", side, folder, options.batch, options.seq_len,
            options.device]


def _answers(name: str, sides: dict[str, TrainSide], rounds: int) -> dict[str, dict]:
    """The answers of each side: its warm-up, seconds of its turns, peak memory, product FLOP/s."""
    worst = agreement({side: own.ready for side, own in sides.items()})
    say(f"{name}: losses of the warm-up agree to {worst:.1e}")
    seconds = in_turns({side: own.step for side, own in sides.items()}, rounds, name)
    # Before the products, whose matrices are no part of a step.
    memory = {side: own.ask("memory") for side, own in sides.items()}
    products = in_turns({side: lambda own=own: own.ask("product") for side, own in sides.items()},
                        min(rounds, PRODUCT_TURNS), f"{name}, matrix products")
    return {side: own.ready | {"seconds": seconds[side], "peak_mib": memory[side],
                               "product_flop_per_s": max(products[side])}
            for side, own in sides.items()}


def agreement(answers: dict[str, dict]) -> float:
    """check_same of the full steps, and of those that train an adapter."""
    groups = ({side: own for side, own in answers.items() if (side in FULL) is adapter}
              for adapter in (False, True))
    return max(check_same(group) for group in groups if group)


def check_same(answers: dict[str, dict]) -> float:
    """The largest difference between losses; ValueError where sides compute different things.

    answers: `losses` and `norms` of the warm-up steps, by side. Later losses hold the updates too.
    """
    first, *others = answers
    worst = 0.0
    for side in others:
        for key, bound in (("losses", LOSS_TOLERANCE), ("norms", NORM_TOLERANCE)):
            pairs = zip(answers[first][key], answers[side][key], strict=True)
            for step, (one, other) in enumerate(pairs, start=1):
                difference = abs(one - other) / (1.0 if key == "losses" else abs(one))
                if not difference <= bound:  # NaN is no agreement
                    raise ValueError(f"step {step}: {key} of {first} {one} and of {side} {other} "
                                     f"differ by more than {bound}: not the same computation")
                if key == "losses":
                    worst = max(worst, difference)
    return worst


def figures(answers: dict[str, dict], tokens: int, flop: float) -> list[dict]:
    """One record a side; ratios are to the first side, round by round.

    Shares of a peak are for full steps only: with an adapter fewer gradients are computed.
    """
    reference = next(iter(answers.values()))["seconds"]
    highest = max(own["product_flop_per_s"] for own in answers.values())
    records = []
    for side, own in answers.items():
        median = statistics.median(own["seconds"])
        ratios = [r / o for r, o in zip(reference, own["seconds"], strict=True)]
        records.append({
            "side": side, **own, "tokens_per_s": tokens / median, "times_first": middle(ratios)})
        if side not in FULL:
            records[-1] |= {"of_own_peak": flop / median / own["product_flop_per_s"],
                            "of_highest_peak": flop / median / highest}
    return records


def shares(answers: dict[str, dict]) -> dict[str, tuple[float, float]]:
    """Side with an adapter -> the shares of a full step's time, round by round, and of its memory.
    """
    found = {}
    for side, full in FULL.items():
        if side in answers and full in answers:
            own, whole = answers[side], answers[full]
            times = [o / w for o, w in zip(own["seconds"], whole["seconds"], strict=True)]
            found[side] = statistics.median(times), own["peak_mib"] / whole["peak_mib"]
    return found


def middle(values: list[float]) -> tuple[float, float, float]:
    """Median, and the quartiles between which half of the values lie."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return statistics.median(values), low, high


def _part(workload: dict, records: list[dict], options: argparse.Namespace) -> Part:
    rows = []
    for own in records:
        median, low, high = own["times_first"]
        rows.append((SIDES[own["side"]], f"{own['tokens_per_s']:,.0f}",
                     f"{median:.2f} ({low:.2f} to {high:.2f})", _percent(own, "of_own_peak"),
                     _percent(own, "of_highest_peak"), f"{own['peak_mib']:,.0f}"))
    since = {own["memory_since"] for own in records}
    memory = "GPU memory" if options.device == "gpu" else "memory"
    highest = max(own["product_flop_per_s"] for own in records)
    by_side = {own["side"]: own for own in records}
    header = [cell.format(first=SIDES[records[0]["side"]], peak=highest / 1e9, memory=memory)
              for cell in HEADER]
    threads = ", ".join(f"{own['side']} {own['threads']}" for own in records)
    versions = ", ".join(dict.fromkeys(own["framework"] for own in records))
    notes = [
        f"{workload['layers']} layers x {workload['width']}, vocabulary "
        f"{workload['vocabulary']:,}, {workload['parameters'] / 1e6:.1f} million parameters, "
        f"{workload['flop_per_step'] / 1e9:,.1f} GFLOP of matrix products a step.",
        f"float32, dropout 0, clip 1.0, AdamW; {options.rounds} alternated rounds after a warm-up "
        f"whose losses agree to {agreement(by_side):.0e}.",
        f"Memory since {' or '.join(sorted(since))}. Threads: {threads}. {versions}.",
    ] + [f"{SIDES[side]}: {time:.2f} x the time of {SIDES[FULL[side]]}, {memory_share:.2f} x its "
         "memory." for side, (time, memory_share) in shares(by_side).items()]
    title = f"{workload['model']}, {options.batch} x {options.seq_len} tokens, {options.device}"
    return Part(title, notes, header, rows, {"workload": workload, "sides": records})


def _percent(record: dict, key: str) -> str:
    return f"{record[key]:.0%}" if key in record else ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=lambda text: text.split(","), default=["6x768", "gpt2-en"],
                        metavar="NAME,NAME", help="6x768 or registry names (default: both)")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq_len", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=10, help="of alternation")
    parser.add_argument("--sides", type=_sides, metavar="SIDE,SIDE",
                        default=("eager", "compile", "plain", "ours"),
                        help=f"of {', '.join(SIDES)}; ratios are to the first")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--torch_python", metavar="PATH", default=sys.executable,
                        help="a Python in whose environment torch is installed (default: this one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all numbers, a line for a side")
    options = parser.parse_args()
    if "compile" in options.sides and not shutil.which(os.environ.get("CXX", "g++")):
        parser.error("torch.compile needs a C++ compiler, g++ or $CXX: install one, or leave the "
                     "side out with --sides")
    return options


def _sides(text: str) -> tuple[str, ...]:
    unknown = set(text.split(",")) - set(SIDES)
    if unknown:
        raise argparse.ArgumentTypeError(f"no side {', '.join(sorted(unknown))}: there are "
                                         f"{', '.join(SIDES)}")
    return tuple(text.split(","))


if __name__ == "__main__":
    main()
