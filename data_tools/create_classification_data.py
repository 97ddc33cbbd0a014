"""Texts with labels -> splits for a classifier: `python -m data_tools.create_classification_data`.

Reads .csv, .tsv or .jsonl, and writes train.csv, validation.csv and test.csv (Label,Text), and
labels.json with the names of the labels.
"""

from __future__ import annotations

import sys

import args
from data_tools.classification.options import ClassificationDataConfig
from data_tools.create_pretraining_data import run


def parse(argv: list[str] | None = None) -> ClassificationDataConfig:
    return args.parse(
        ClassificationDataConfig, "python -m data_tools.create_classification_data",
        "Balance texts with labels, shuffle them, and split them into tables for training, "
        "validation and test.", argv, names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    config = parse(argv)

    def make() -> None:
        from data_tools.classification.making import make

        make(config)

    return run(make, 1, "nothing was written")


if __name__ == "__main__":
    sys.exit(main())
