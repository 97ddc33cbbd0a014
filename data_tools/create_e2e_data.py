"""E2E pairs -> records for fine-tuning: `python -m data_tools.create_e2e_data --help`.

Reads mr||text lines or the challenge's .csv files, and writes X.jsonl, a record a line:
{"context": [ids], "completion": [ids], "context_text": "...", "completion_text": "..."}.
"""

from __future__ import annotations

import sys

import args
from data_tools.create_pretraining_data import run
from data_tools.e2e.options import E2EDataConfig


def parse(argv: list[str] | None = None) -> E2EDataConfig:
    return args.parse(
        E2EDataConfig, "python -m data_tools.create_e2e_data",
        "Turn meaning representations with their texts into records of ids, for fine-tuning a "
        "model to write the texts.", argv, names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    config = parse(argv)

    def make() -> None:
        from data_tools.e2e.making import make

        make(config)

    return run(make, 1, "nothing was written")


if __name__ == "__main__":
    sys.exit(main())
