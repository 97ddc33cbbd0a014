"""Measure a trained GPT, with one measure a run. See --help for the flags."""

import args
from paddle_impl.config.evaluation import EvaluationConfig

PROG = "run_evaluation.py"


def parse(argv: list[str] | None = None) -> EvaluationConfig:
    return args.parse(
        EvaluationConfig, PROG, "Measure a GPT on held-out text, or a file of outputs.", argv)


def main(argv: list[str] | None = None) -> None:
    config = parse(argv)
    args.plain_warnings()
    try:
        if config.measure.compare and not config.measure.minitest:
            compare(config)
            return
        if config.mode == "e2e":
            from paddle_impl.evaluation.e2e import measuring

            measuring.run(config)
            return
        if config.mode == "judge":
            from paddle_impl.evaluation.judge import measuring

            measuring.run(config)
            return
        from paddle_impl.process import runtime

        runtime.import_paddle(config.runtime.device)
        from paddle_impl.evaluation.running import run

        run(config)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)


def compare(config: EvaluationConfig) -> None:
    """Show files that --minitest wrote, a column each. Needs no Paddle."""
    from paddle_impl.evaluation import comparison, files

    paths, page = config.measure.compare, config.output.output_file
    files.check_place(page, "--output_file")
    comparison.show(paths, comparison.read_all(paths), page)


if __name__ == "__main__":
    main()
