"""Pretrain a GPT. The recipe itself is paddle_impl/pretraining.py; see --help for the flags."""

import args


def main(argv: list[str] | None = None) -> None:
    config = args.parse_pretrain(argv)
    try:
        from paddle_impl import runtime

        # Before anything imports Paddle: it reads its threads and kernels once, when loaded.
        runtime.import_paddle(config.device)
        from paddle_impl.pretraining import PretrainingRun

        run = PretrainingRun(config)
    except (ValueError, OSError) as error:
        args.fail("run_pretrain.py", error)
    try:
        run.train()
    except (FloatingPointError, OSError) as error:  # a ValueError in here is ours: show it whole
        args.fail("run_pretrain.py", error)


if __name__ == "__main__":
    main()
