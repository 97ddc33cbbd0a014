"""Source code -> records for fine-tuning: `python -m data_tools.create_completion_data --help`.

Reads files as create_pretraining_data does, and writes D/json/train.jsonl and D/json/dev.jsonl,
where each line is one window of a file: {"token_ids": [...], "label": "Python"}. Beside them are
meta.json and the tokenizer, which has control tokens for padding and for each language.
"""

from __future__ import annotations

import sys

import args
from data_tools.completion.options import CompletionConfig
from data_tools.create_pretraining_data import run


def parse(argv: list[str] | None = None) -> CompletionConfig:
    return args.parse(
        CompletionConfig, "python -m data_tools.create_completion_data",
        "Turn source code into windows of tokens, with their language, for fine-tuning a model to "
        "complete code.", argv, names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line on stderr), 130 interrupted."""
    config = parse(argv)
    return run(lambda: create(config), config.running.workers, "nothing was written")


def create(config: CompletionConfig) -> None:
    """Write the dataset whole or not at all."""
    from data_tools.completion.making import make

    make(config.filled_in())


if __name__ == "__main__":
    sys.exit(main())
