"""Measure a trained GPT, with one measure a run. See --help for the flags."""

import shutil

import args
from paddle_impl.config.evaluation import EvaluationConfig

PROG = "run_evaluation.py"


def parse(argv: list[str] | None = None) -> EvaluationConfig:
    return args.parse(EvaluationConfig, PROG, "Measure a GPT on held-out text.", argv)


def main(argv: list[str] | None = None) -> None:
    config = parse(argv)
    args.plain_warnings()
    try:
        if config.measure.compare:
            compare(config.measure.compare)
            return
        from paddle_impl.process import runtime

        runtime.import_paddle(config.runtime.device)
        from paddle_impl.evaluation.running import run

        run(config)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)


def compare(paths: list[str]) -> None:
    """Print the --minitest answers of several checkpoints, a column each. Needs no Paddle."""
    from paddle_impl.evaluation.comparison import side_by_side

    print(side_by_side(paths, shutil.get_terminal_size((120, 24)).columns))


if __name__ == "__main__":
    main()
