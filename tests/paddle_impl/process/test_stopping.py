"""The first signal asks a run to stop, the second ends it; then the old handlers are restored."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from paddle_impl.process.stopping import StopSignals, exit_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_is_noted(number):
    with StopSignals() as signals:
        assert not signals.requested() and signals.received is None
        signal.raise_signal(number)
        assert signals.requested() and signals.received == number.name


def test_the_second_interrupt_interrupts():
    with pytest.raises(KeyboardInterrupt), StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)  # of another kind: noted
        assert signals.received == "SIGINT"
        signal.raise_signal(signal.SIGINT)


def test_the_launchers_repetition_is_one_wish():
    with StopSignals(repeated=60) as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert signals.received == "SIGTERM"


def test_a_later_sigterm_ends_the_process():
    program = (
        "import signal, time\n"
        "from paddle_impl.process.stopping import StopSignals\n"
        "with StopSignals(repeated=0.01):\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    time.sleep(0.1)\n"
        "    print('noted', flush=True)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert process.returncode == -signal.SIGTERM
    assert process.stdout == "noted\n"


def test_handlers_are_given_back():
    heard = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        signal.signal(signal.SIGTERM, lambda *_: heard.append("mine"))
        with StopSignals():
            signal.raise_signal(signal.SIGTERM)
        assert heard == []
        signal.raise_signal(signal.SIGTERM)
        assert heard == ["mine"]
        assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGINT)
            assert not signals.requested()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_of_the_main_thread_it_does_nothing():
    entered, before = [], signal.getsignal(signal.SIGTERM)

    def body():
        with StopSignals() as signals:
            entered.append((signals.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert entered == [(None, before)]


@pytest.mark.parametrize("inner", [False, True])
def test_a_call_that_waits_goes_on_waiting(inner):
    """Paddle's store would call it a lost connection; ctypes is as plain as its C++."""
    libc = ctypes.CDLL(None, use_errno=True)
    inlet, outlet = os.pipe()

    def disturb():
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        time.sleep(0.1)
        os.write(outlet, b"x")

    thread = threading.Thread(target=disturb)
    with StopSignals() as signals:
        if inner:
            with StopSignals():
                pass  # and gives the outer one's handler back
        thread.start()
        assert libc.read(inlet, ctypes.create_string_buffer(1), 1) == 1
        assert signals.received == "SIGTERM"
    thread.join()
    os.close(inlet)
    os.close(outlet)


def test_exit_codes_are_the_shells():
    assert (exit_code("SIGTERM"), exit_code("SIGINT")) == (143, 130)
