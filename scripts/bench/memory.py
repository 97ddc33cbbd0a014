"""Peak memory of each process of a step: plain, recompute, sharding, tensor parallel, LoRA.

Each case is run_pretrain.py with its flags, in float32 with dropout, or run_finetune.py on pairs,
without; on a CPU (gloo), one case after another on the same synthetic data. The peak is the
resident memory of a process, libraries included, from the second step on (Linux); sizes of weights
and moments follow from their shapes. There are two workloads: in `parameters` most memory is
weights, gradients and moments, in `activations` most is what the forward pass keeps for the
backward pass.

    .venv/bin/python scripts/bench/memory.py [--workload parameters,activations]
        [--cases plain,recompute,dp2,sharding2,mp2,sharding2+recompute,mp2+recompute]
        [--model gpt2-en] [--json FILE]

A case joins its parts by +: plain, recompute, stage2 or stage3 of sharding, and dpN, shardingN or
mpN for that many processes; finetune and lora are run_finetune.py's. Data parallel and sharding
processes each have a micro batch of their own, tensor parallel ones share it. Cases that read the
same samples must report the same losses, and what is sharded must be smaller in each process, or
the run ends. --cases finetune,lora tells what an adapter saves; train.py tells it for torch too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import memory_pairs
import numpy as np
from data_common import ROOT, Part, machine, run, say

sys.path.insert(0, str(ROOT))
from data_tools.token_files.writer import TokenFileWriter  # noqa: E402
from paddle_impl.config.registry import named_model  # noqa: E402

WORKLOADS = {"parameters": (1, 128), "activations": (4, 512)}  # micro batch, sequence length
CASES = "plain,recompute,dp2,sharding2,mp2,sharding2+recompute,mp2+recompute"
STEPS = 3
LOSS_TOLERANCE = 1e-4
SIDE = Path(__file__).resolve().parent / "memory_side.py"
PART = re.compile(r"plain|recompute|finetune|lora|(stage)([23])|(dp|sharding|mp)([2-9]|[1-9]\d+)")
HEADER = ("case", "processes", "weights, MiB of each", "moments", "peak", "x {first}")


@dataclass(frozen=True)
class Case:
    """processes: all; data: those among them with samples of their own; pairs: it is fine-tuned."""

    name: str
    processes: int
    data: int
    flags: tuple[str, ...]
    pairs: bool = False


def parse_case(name: str) -> Case:
    """`mp2+recompute` -> its processes and run_pretrain.py's flags; ValueError for no such part."""
    sizes, flags = {"dp": 1, "sharding": 1, "mp": 1}, []
    for part in name.split("+"):
        if not (match := PART.fullmatch(part)):
            raise ValueError(f"no case {part!r}: there are plain, recompute, finetune, lora, dpN, "
                             "shardingN, stage2, stage3, mpN, joined by +")
        if match[1]:
            flags += ["--sharding_stage", match[2]]
        elif match[3]:
            sizes[match[3]] = int(match[4])
            # dpN is what remains of the processes: it needs no flag.
            flags += [] if match[3] == "dp" else [f"--{match[3]}_degree", match[4]]
        elif part == "recompute":
            flags.append("--use_recompute")
        elif part == "lora":
            flags += ["--lora_dim", "4"]
    return Case(name, math.prod(sizes.values()), sizes["dp"] * sizes["sharding"], tuple(flags),
                pairs=bool({"finetune", "lora"} & {*name.split("+")}))


def main() -> None:
    options = _options()
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "0"):
        del os.environ["CUDA_VISIBLE_DEVICES"]  # empty, it makes the launcher fail
    if options.json:
        options.json.write_text("")
    print(f"{machine()}\n", flush=True)
    for workload in options.workload:
        try:
            part = _measured(workload, options)
        except (RuntimeError, ValueError) as error:
            raise SystemExit(f"memory.py: {workload}: {error}") from None
        print(part.markdown(), flush=True)
        if options.json:
            with options.json.open("a") as file:
                for record in part.figures["cases"]:
                    file.write(json.dumps(record) + "\n")


def _measured(workload: str, options: argparse.Namespace) -> Part:
    batch, length = WORKLOADS[workload]
    records = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        most = max(case.data for case in options.cases)
        write_data(data / "noise", options.model, (STEPS + 1) * batch * most * length)
        for case in options.cases:
            say(f"{workload}: {case.name}")
            records.append({"workload": workload, "model": options.model, "batch": batch,
                            "seq_len": length, "case": case.name,
                            "data": f"{'pairs' if case.pairs else 'tokens'} of {case.data}",
                            **run_case(case, data, Path(folder, case.name), options.model,
                                       workload)})
    worst = check_same(records)
    return _part(workload, records, worst)


def write_data(prefix: Path, model: str, tokens: int) -> None:
    """Documents of random ids, twice as many as the steps read."""
    prefix.parent.mkdir()
    vocabulary = named_model(model).vocab_size
    with TokenFileWriter(prefix, vocabulary) as writer:
        ids = np.random.default_rng(0).integers(0, vocabulary, (8, tokens // 4 + 64))
        for document in ids:
            writer.append(document)


def run_case(case: Case, data: Path, out: Path, model: str, workload: str) -> dict:
    """What each process held, and the losses; RuntimeError where the run failed."""
    out.mkdir()
    batch, length = WORKLOADS[workload]
    if case.pairs:
        memory_pairs.write(out, model, length, (STEPS + 1) * batch * case.data)
    try:
        run(_command(case, data, out, model, batch, length))
    except RuntimeError as error:
        raise RuntimeError(f"{case.name}: {_last_words(out / 'log') or error}") from None
    ranks = [json.loads(Path(out, f"{rank}.json").read_text()) for rank in range(case.processes)]
    lines = Path(out, "run", "metrics.jsonl").read_text().splitlines()
    losses = [record["loss"] for record in map(json.loads, lines) if "loss" in record]
    if len(losses) != STEPS:
        raise RuntimeError(f"{case.name} recorded {len(losses)} losses, expected {STEPS}")
    columns = {key: [rank[key] for rank in ranks]
               for key in ("weights_mib", "state_mib", "peak_mib")}
    check_shared(case, columns, _whole_mib(model))
    return {"processes": case.processes, **columns, "libraries_mib": ranks[0]["libraries_mib"],
            "since": ranks[0]["since"], "losses": losses}


def _command(case: Case, data: Path, out: Path, model: str, batch: int, length: int) -> list:
    launcher = [sys.executable]
    if case.processes > 1:
        launcher += ["-m", "paddle.distributed.launch", "--nproc_per_node", case.processes,
                     "--log_dir", out / "log"]
    if case.pairs:
        return [*launcher, SIDE, out, STEPS, *memory_pairs.flags(out, batch, STEPS + 1),
                *case.flags]
    return [*launcher, SIDE, out, STEPS,
            "--model_type", "gpt", "--model_name_or_path", model, "--input_dir", data,
            "--output_dir", out / "run", "--split", "100,0,0", "--max_seq_len", length,
            "--micro_batch_size", batch, "--max_steps", STEPS + 1, "--decay_steps", 0,
            "--grad_clip", 1.0, "--weight_decay", 0.1, "--eval_iters", 0, "--device", "cpu",
            *case.flags]


def check_shared(case: Case, columns: dict, whole: float) -> None:
    """RuntimeError if a process holds as much as a single one would, despite the flags."""
    for key, shares, alone in (
        ("weights_mib", {"--mp_degree"}, whole),
        ("state_mib", {"--mp_degree", "--sharding_degree"}, 2 * whole),
    ):
        if shares & set(case.flags) and max(columns[key]) > 0.9 * alone:
            raise RuntimeError(f"{case.name} shared nothing: {key} of its processes is "
                               f"{_each(columns[key])}, of one alone {alone:,.0f}")


def _whole_mib(model: str) -> float:
    return named_model(model).num_parameters() * 4 / 2**20


def _last_words(logs: Path) -> str:
    """The last line of each process's log; empty if the case has one process."""
    texts = [path.read_text(errors="replace") for path in sorted(logs.glob("workerlog*"))]
    return " / ".join(text.strip().rpartition("\n")[2] for text in texts)


def check_same(records: list[dict]) -> float:
    """The largest difference of losses between cases with the same samples; ValueError if large."""
    worst = 0.0
    for data in {record["data"] for record in records}:
        first, *others = [record for record in records if record["data"] == data]
        for other in others:
            for one, two in zip(first["losses"], other["losses"], strict=True):
                if not abs(one - two) <= LOSS_TOLERANCE:  # NaN is no agreement
                    raise ValueError(f"the losses of {first['case']} {first['losses']} and of "
                                     f"{other['case']} {other['losses']} differ by more than "
                                     f"{LOSS_TOLERANCE}: not the same computation")
                worst = max(worst, abs(one - two))
    return worst


def _part(workload: str, records: list[dict], worst: float) -> Part:
    first = records[0]
    plain = max(first["peak_mib"])
    rows = []
    for record in records:
        record["times_first"] = max(record["peak_mib"]) / plain
        rows.append((record["case"], str(record["processes"]), _each(record["weights_mib"]),
                     _each(record["state_mib"]), _each(record["peak_mib"]),
                     f"{record['times_first']:.2f}"))
    whole = _whole_mib(first["model"])
    notes = [
        f"{whole / 4 * 2**20 / 1e6:.1f} million parameters: {whole:,.0f} MiB each for weights, "
        "gradients and the two moments. Libraries alone hold "
        f"{first['libraries_mib']:,.0f} MiB.",
        f"Peak since {first['since']}, over {STEPS} steps; the last column is of the largest "
        f"process. Losses of cases with the same samples agree to {worst:.0e}.",
    ]
    header = [cell.format(first=first["case"]) for cell in HEADER]
    title = f"{workload}: {first['model']}, {first['batch']} x {first['seq_len']} tokens a process"
    return Part(title, notes, header, rows, {"cases": records})


def _each(mib: list[float]) -> str:
    return ", ".join(f"{value:,.0f}" for value in mib)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", type=_workloads, default=tuple(WORKLOADS),
                        metavar="NAME,NAME", help=f"of {', '.join(WORKLOADS)} (default: both)")
    parser.add_argument("--cases", type=_cases, default=_cases(CASES), metavar="CASE,CASE",
                        help=f"the first is what others are compared with (default: {CASES})")
    parser.add_argument("--model", default="gpt2-en", help="a registry name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all numbers, a line for a case")
    return parser.parse_args()


def _cases(text: str) -> list[Case]:
    try:
        return [parse_case(name) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _workloads(text: str) -> tuple[str, ...]:
    unknown = set(text.split(",")) - set(WORKLOADS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no workload {', '.join(sorted(unknown))}: there are "
                                         f"{', '.join(WORKLOADS)}")
    return tuple(text.split(","))


if __name__ == "__main__":
    main()
