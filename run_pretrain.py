"""Pretrain a GPT. The recipe itself is paddle_impl/pretraining.py; see --help for the flags.

Exit codes: 0 done; 2 a user's mistake, numbers that are not finite or a disk that takes no more, in
one line; 143 and 130 stopped by SIGTERM and SIGINT after a checkpoint; 1 anything else.
"""

import sys
from typing import NoReturn

import args
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.process import launch, stopping

PROG = "run_pretrain.py"


def parse(argv: list[str] | None = None) -> PretrainConfig:
    return args.parse(PretrainConfig, PROG, "Pretrain a GPT on token files.", argv)


def main(argv: list[str] | None = None) -> None:
    launch.prepare()
    config = parse(argv)
    with launch.in_company(PROG):
        signal = pretrain(config)
    if signal is not None:
        sys.exit(stopping.exit_code(signal))


def pretrain(config: PretrainConfig) -> str | None:
    """The name of the signal that ended the run early, None where it is done."""
    try:
        from paddle_impl.process import runtime

        # Before anything imports Paddle: it reads its threads and kernels once, when loaded.
        runtime.import_paddle(config.runtime.device)
        stopping.undo_paddles_handler()
        from paddle_impl.data.loader import DamagedData
        from paddle_impl.pretraining import pretraining_run

        run = pretraining_run(config)
    except (ValueError, OSError) as error:
        fail(error)
    # Around the run's own: the launcher repeats SIGTERM and tells one process after the other. It
    # may come to this one when the run has stopped, but not everything is closed.
    with stopping.StopSignals():
        try:
            signal = run.train()
        except (FloatingPointError, OSError, DamagedData) as error:  # a ValueError is ours
            fail(error)
        launch.leave_together(run.ranks)
        if signal is not None and run.ranks.is_main:
            print(f"stopped by {signal} after a checkpoint; continue with --resume", flush=True)
    return signal


def fail(error: Exception) -> NoReturn:
    """The user's mistake in one line; where another process is missing, that is no mistake."""
    if launch.misses_another(error):
        raise error
    args.fail(PROG, error)


if __name__ == "__main__":
    stopping.end_at_once()
    main()
