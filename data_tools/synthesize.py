"""Records made by a model behind a server: `python -m data_tools.synthesize --help`.

    python -m data_tools.synthesize preference --input_file X.json --output_file Y.json ...
    python -m data_tools.synthesize magpie --count 1000 --output_file Y.json ...
"""

from __future__ import annotations

import sys

import args
from data_tools.create_pretraining_data import run
from data_tools.synthesis.options import SynthesisConfig


def parse(argv: list[str] | None = None) -> SynthesisConfig:
    return args.parse(
        SynthesisConfig, "python -m data_tools.synthesize",
        "Let a model behind a server with OpenAI's interface write records for fine-tuning. A run "
        "that was stopped, started again with the same flags, continues.", argv, names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for what cannot be used or asked (one line on stderr), 130 interrupted."""
    config = parse(argv)

    def make() -> None:
        from data_tools.synthesis.running import synthesize

        synthesize(config)

    return run(make, 1, "the same command continues behind the last answer")


if __name__ == "__main__":
    sys.exit(main())
