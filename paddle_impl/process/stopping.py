"""SIGTERM and SIGINT as a request to stop after the current step and a checkpoint.

Ctrl-C, `kill`, batch systems before their time limit and Paddle's launcher send these signals. A
signal may arrive at any moment, so the handler only notes it and touches no file.
"""

import signal
import threading
import time

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Seconds. Paddle's launcher sends SIGTERM three times in 0.4 seconds, and a batch system sends it
# both to the launcher and to its processes.
REPEATED = 5.0


class StopSignals:
    """While the block runs, the first SIGTERM or SIGINT is only noted, in `received`.

    A second signal of the same kind has the effect that it had before the block. SIGTERMs within
    `repeated` seconds of the first count as one. Ignored signals (nohup) stay ignored. Python
    handles signals in the main thread only: in another thread the block does nothing.

    No signal interrupts a system call, neither in the block nor after it, because Paddle's store
    would take an interrupted call for a lost connection.
    """

    def __init__(self, repeated: float = REPEATED):
        self.received: str | None = None  # "SIGTERM" or "SIGINT"
        self._repeated = repeated
        self._first: dict[int, float] = {}
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
                    signal.siginterrupt(number, False)
        return self

    def __exit__(self, *_) -> None:
        for number in list(self._before):
            self._restore(number)

    def requested(self) -> bool:
        """Whether a signal has asked to stop."""
        return self.received is not None

    def _note(self, number: int, _frame) -> None:
        now = time.monotonic()
        if number not in self._first:
            self._first[number] = now
            self.received = self.received or signal.Signals(number).name
        elif number == signal.SIGINT or now - self._first[number] > self._repeated:
            self._restore(number)
            signal.raise_signal(number)

    def _restore(self, number: int) -> None:
        before = self._before.pop(number, None)
        # None: the handler was installed outside of Python and cannot be restored from here.
        signal.signal(number, signal.SIG_DFL if before is None else before)
        signal.siginterrupt(number, False)  # `before` may belong to an outer block


def exit_code(name: str) -> int:
    """The exit code of a process that the signal ended: 143 for SIGTERM, 130 for SIGINT."""
    return 128 + signal.Signals[name]


def use_default_sigint() -> None:
    """Let SIGINT end the process at once and without a traceback, while there is nothing to save.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def undo_paddles_handler() -> None:
    """Restore Python's handler of SIGTERM. Paddle's, set on import, prints a C++ stack trace."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
