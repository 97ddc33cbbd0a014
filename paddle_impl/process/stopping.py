"""SIGTERM and SIGINT as a wish: the step is finished and a checkpoint written before the end.

Ctrl-C, `kill`, a batch system's warning before the time is up and Paddle's launcher all ask this
way. Nothing here touches files: a signal may come at any moment.
"""

import signal
import threading
import time

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Paddle's launcher sends SIGTERM three times in 0.4 seconds, and a batch system to it and to us.
REPEATED = 5.0


class StopSignals:
    """While the block runs, the first SIGTERM or SIGINT is only noted, in `received`.

    The second of a kind does what it did before the block, but SIGTERMs within `repeated` seconds
    of the first count as one. Signals that are ignored (nohup) stay so. Only the main thread gets
    signals: elsewhere the block notes none.

    Neither in the block nor after it does a signal interrupt a call of the system: Paddle's store
    would take that for a lost connection.
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
            self._give_back(number)

    def asked(self) -> bool:
        """Whether to stop."""
        return self.received is not None

    def _note(self, number: int, _frame) -> None:
        now = time.monotonic()
        if number not in self._first:
            self._first[number] = now
            self.received = self.received or signal.Signals(number).name
        elif number == signal.SIGINT or now - self._first[number] > self._repeated:
            self._give_back(number)
            signal.raise_signal(number)

    def _give_back(self, number: int) -> None:
        before = self._before.pop(number, None)
        # None: not Python's to give back.
        signal.signal(number, signal.SIG_DFL if before is None else before)
        signal.siginterrupt(number, False)  # `before` may be that of a block around this one


def exit_code(name: str) -> int:
    """What a shell reports of a process that the signal ended: 143 of SIGTERM, 130 of SIGINT."""
    return 128 + signal.Signals[name]


def end_at_once() -> None:
    """As long as there is nothing to save, an interrupt ends the process, without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def undo_paddles_handler() -> None:
    """Loaded, Paddle calls SIGTERM a fatal error and prints a C++ trace: as before its import."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
