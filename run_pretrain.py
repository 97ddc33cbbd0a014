"""Pretrain a GPT. The recipe itself is paddle_impl/pretraining.py; see --help for the flags.

Exit codes: 0 done; 2 with one line on standard error for a mistake of the user, numbers that are
not finite or a full disk; 143 or 130 stopped by SIGTERM or SIGINT after a checkpoint; 1 any other
error.
"""

import pkgutil
import sys
from functools import partial
from typing import NoReturn

import args
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.config.run import RunConfig
from paddle_impl.process import launch, stopping

PROG = "run_pretrain.py"


def parse(argv: list[str] | None = None) -> PretrainConfig:
    return args.parse(PretrainConfig, PROG, "Pretrain a GPT on token files.", argv)


def main(argv: list[str] | None = None) -> None:
    launch.prepare()
    train(PROG, parse(argv), "paddle_impl.pretraining:pretraining_run")


def train(prog: str, config: RunConfig, put_together: str) -> None:
    """Train, and exit with the code of a run that a signal has ended early.

    put_together: `module:function` from config to a Run, which is imported after Paddle.
    """
    with launch.end_job_on_error(prog):
        signal = _trained(prog, config, put_together)
    if signal is not None:
        sys.exit(stopping.exit_code(signal))


def _trained(prog: str, config: RunConfig, put_together: str) -> str | None:
    """Train; returns the name of the signal that ended the run early, or None."""
    fail = partial(_fail, prog)
    try:
        from paddle_impl.process import runtime

        # Before anything imports Paddle, which reads these settings once, on import.
        runtime.import_paddle(config.runtime.device)
        stopping.undo_paddles_handler()
        from paddle_impl.data.loader import DamagedData

        run = pkgutil.resolve_name(put_together)(config)
    except (ValueError, OSError) as error:
        fail(error)
    # Besides the run's own handler: the launcher sends SIGTERM several times, and to one process
    # after the other. It may reach this one after the run has stopped and before all is closed.
    with stopping.StopSignals():
        try:
            signal = run.train()
        except (FloatingPointError, OSError, DamagedData) as error:  # a ValueError here is a bug
            fail(error)
        launch.leave_together(run.ranks)
        if signal is not None and run.ranks.is_main:
            print(f"stopped by {signal} after a checkpoint; continue with --resume", flush=True)
    return signal


def _fail(prog: str, error: Exception) -> NoReturn:
    """Exit with the error in one line. An error because a peer is gone is raised again instead:
    `end_job_on_error` handles it.
    """
    if launch.lost_peer(error):
        raise error
    args.fail(prog, error)


if __name__ == "__main__":
    stopping.use_default_sigint()
    main()
