"""Predictions for E2E pairs -> files to measure: `python -m data_tools.decode_e2e --help`.

Reads the JSON lines of a beam search and the pairs, groups the references by meaning
representation, and writes the two files that `run_evaluation.py --e2e REFS SYS` reads.
"""

from __future__ import annotations

import sys

import args
from data_tools.create_pretraining_data import run
from data_tools.e2e.options import DecodeConfig


def parse(argv: list[str] | None = None) -> DecodeConfig:
    return args.parse(
        DecodeConfig, "python -m data_tools.decode_e2e",
        "Turn predictions for E2E pairs into a file of references and one of outputs, in the same "
        "order.", argv, names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    config = parse(argv)

    def make() -> None:
        from data_tools.e2e.decoding import decode

        decode(config)

    return run(make, 1, "nothing was written")


if __name__ == "__main__":
    sys.exit(main())
