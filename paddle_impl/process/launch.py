"""A process among those that `python -m paddle.distributed.launch` started.

The launcher writes what process N says to log_dir/workerlog.N. On its console it repeats number 0
of the machine all the time, and of the others only the end of the log of one that failed, while
the rest are still running. So that this one is the one with something to say, a process that
merely misses another keeps silent until the launcher has found out.

Standard library only: it acts before Paddle is imported. Alone, every call does nothing.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

_FAILED = "failed"  # the store's count of processes that ended with an error
PATIENCE = 15.0  # seconds for the launcher, which looks at its processes once a second


def is_launched() -> bool:
    """Whether Paddle's launcher is this process's parent."""
    return "PADDLE_TRAINER_ID" in os.environ and "PADDLE_LOG_DIR" in os.environ


def prepare() -> None:
    """What a launched process does first, before Paddle is imported."""
    if not is_launched():
        return
    if int(os.environ.get("PADDLE_TRAINERS_NUM", "1") or 1) > 1:
        sys.stderr = _Prefixed(sys.stderr, f"[rank {os.environ['PADDLE_TRAINER_ID']}] ")
    _die_with_the_launcher()
    _meet_where_the_launcher_does()


class AnotherFailed(RuntimeError):
    """Another process of the job has said that it ends with an error."""


@contextlib.contextmanager
def in_company(prog: str) -> Iterator[None]:
    """Run the block as one process of several: an error in it ends all of them.

    Where the error is that another is missing, its own message is the one to read: this process
    waits for the launcher to end it. If none does, the other is on another machine, whose launcher
    tells its own processes only; then it exits with a message.
    """
    try:
        yield
    except BaseException as error:
        if not misses_another(error):
            _tell_the_others()
            raise
        if is_launched():
            time.sleep(PATIENCE)
        sys.exit(f"{prog}: error: another process of the job is gone, or kept this one waiting "
                 f"too long; its own log says why ({' '.join(str(error).split())})")


def misses_another(error: BaseException) -> bool:
    """Whether a call in which processes meet failed because another was gone, or never came.

    gloo and the store say so at once when a process dies, gloo as a timeout and the store as a
    ValueError; gloo also waits only 30 seconds. NCCL says nothing: the launcher ends who waits.
    """
    if isinstance(error, AnotherFailed):
        return True
    said = str(error) if isinstance(error, (RuntimeError, ValueError)) else ""
    return "/gloo/transport/" in said or "/store/tcp_utils.h" in said


def others_failed(store) -> bool:
    """Whether another process has told Paddle's store that it ends with an error."""
    return store.add(_FAILED, 0) > 0


def leave_together(ranks) -> None:
    """Wait until all processes have taken their last step, then let them go.

    One that closes its connections breaks the common call that another is still in, even if its own
    part of that is done. The first process, which keeps the store, goes last. None waits for ever.
    """
    store = _store()
    if store is None:
        return
    with contextlib.suppress(RuntimeError, ValueError):  # the store is gone: so may we be
        store.add("leaving", 1)
        _wait_for(60, lambda: store.add("leaving", 0) >= ranks.world_size)
        if ranks.is_main:
            _wait_for(5, lambda: store.add("left", 0) >= ranks.world_size - 1)
        else:
            store.add("left", 1)


def _wait_for(seconds: float, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)


def _store():
    """Paddle's store of the job's processes; None where Paddle, or company, is missing."""
    return getattr(sys.modules.get("paddle.distributed.collective"), "_default_store", None)


def _tell_the_others() -> None:
    if (store := _store()) is not None:
        with contextlib.suppress(RuntimeError, ValueError):  # gone itself
            store.add(_FAILED, 1)


class _Prefixed:
    """A text stream whose every line begins with `prefix`."""

    def __init__(self, stream, prefix: str):
        self._stream = stream
        self._prefix = prefix
        self._at_start = True

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            self._stream.write((self._prefix if self._at_start else "") + line)
            self._at_start = line.endswith("\n")
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def _die_with_the_launcher() -> None:
    """A launcher killed with -9 leaves its processes running, and the next job writes beside them.

    Linux only; elsewhere they are left.
    """
    pr_set_pdeathsig = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _meet_where_the_launcher_does() -> None:
    """gloo listens where the machine's name points to, often 127.0.0.1, whatever --host says.

    It is given the interface that has the launcher's address instead.
    """
    address = os.environ.get("PADDLE_CURRENT_ENDPOINT", "").rpartition(":")[0]
    if address and "GLOO_SOCKET_IFNAME" not in os.environ:
        for _, name in socket.if_nameindex():
            if _address_of(name) == address:
                os.environ["GLOO_SOCKET_IFNAME"] = name
                return


def _address_of(interface: str) -> str | None:
    siocgifaddr = 0x8915
    request = struct.pack("256s", interface.encode()[:15])
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_:
        return socket.inet_ntoa(fcntl.ioctl(any_.fileno(), siocgifaddr, request)[20:24])
    return None
