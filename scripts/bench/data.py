"""Benchmark of the data path: files to ids, memory, sample index, access; compared with peers.

The programs compared (sides) take turns in one run, and ratios are medians over neighbouring turns,
since a machine's speed drifts. Markdown goes to standard output, progress to standard error, all
numbers to --output. A peer that is not installed is reported in its table as not measured.

    .venv/bin/python scripts/bench/data.py [--only end_to_end,index] [--quick]
        [--paddlenlp_python /path/to/its/venv/bin/python] [--megatron megatron_core-...whl]

The whole run takes about 15 minutes on 2 cores and 2.5 GB of disk in --work.
Peak memory is read from /proc, so this runs on Linux.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import data_access  # noqa: E402
import data_end_to_end  # noqa: E402
import data_index  # noqa: E402
import data_memory  # noqa: E402
from data_common import machine, say  # noqa: E402
from data_corpus import copy_default_corpus, tokenizer_folder  # noqa: E402

PARTS = ("end_to_end", "memory", "index", "access")
PACKAGES = ("numpy", "tokenizers", "fastokens")


def main() -> None:
    options = _options()
    work = Path(options.work) / ("quick" if options.quick else "full")
    work.mkdir(parents=True, exist_ok=True)
    about = {"machine": machine(), "python": platform.python_version(), "quick": options.quick,
             "rounds": options.rounds, "packages": _versions()}
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    print(f"{about['machine']}; Python {about['python']}, {packages}"
          f"{'; --quick: sizes too small to mean anything' if options.quick else ''}\n", flush=True)
    results: dict = {"about": about, "parts": {}}
    for name, part in _measured(options, work):
        print(part.markdown(), flush=True)
        results["parts"][name] = part.figures
    if options.output:
        Path(options.output).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _measured(options: argparse.Namespace, work: Path):
    """Yield (name, Part) for each part in --only, as soon as it is measured."""
    rounds, quick, only = options.rounds, options.quick, options.only
    if {"end_to_end", "memory"} & set(only):
        say("copying the default corpus")
        corpus = copy_default_corpus(work / "corpus", quick)
        tokenizer = tokenizer_folder(work, corpus, options.tokenizer, quick)
    if "end_to_end" in only:
        yield "end_to_end", data_end_to_end.measure(corpus, tokenizer, work, rounds,
                                                    options.paddlenlp_python)
    if "memory" in only:
        yield "memory", data_memory.measure(corpus, tokenizer, work, quick)
    if "index" in only:
        yield "index", data_index.measure(work, rounds * 5, quick, options.megatron)
    if "access" in only:
        yield "access", data_access.measure(work, rounds * 3, quick, options.paddlenlp_python)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=_parts, default=PARTS, metavar="PART,PART",
                        help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int,
                        help="of alternation (default: 5; 2 with --quick); the index takes five "
                        "times as many, access three times: their turns are short")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--tokenizer", metavar="DIR",
                        help="a GPT-2-like vocabulary (default: 50,257 tokens trained on the "
                        "default corpus, once)")
    parser.add_argument("--paddlenlp_python", metavar="PATH",
                        help="a Python in whose environment PaddleNLP is installed")
    parser.add_argument("--megatron", metavar="PATH",
                        help="a wheel of megatron-core, or the folder that holds megatron/")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir(), "bench_data")),
                        metavar="DIR", help="for copies and results (default: %(default)s)")
    parser.add_argument("--output", metavar="FILE.json", help="all numbers of all rounds")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options


def _parts(text: str) -> tuple[str, ...]:
    unknown = set(text.split(",")) - set(PARTS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no part {', '.join(sorted(unknown))}: there are "
                                         f"{', '.join(PARTS)}")
    return tuple(text.split(","))


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


if __name__ == "__main__":
    main()
