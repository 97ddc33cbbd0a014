"""Start, failure and end of a process that `python -m paddle.distributed.launch` started.

The launcher writes the output of process N to log_dir/workerlog.N. Its console shows all output of
process 0 of the machine, but of the other processes only the last lines of the log of one that
failed. Only the process with the original error should be that one: a process that fails because a
peer is gone prints nothing until the launcher has noticed the peer.

Standard library only, since this module runs before Paddle is imported. In a process that no
launcher started, its functions change nothing.
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
    """Prepare a launched process. Call this before Paddle is imported."""
    if not is_launched():
        return
    if int(os.environ.get("PADDLE_TRAINERS_NUM", "1") or 1) > 1:
        sys.stderr = _Prefixed(sys.stderr, f"[rank {os.environ['PADDLE_TRAINER_ID']}] ")
    _die_with_the_launcher()
    _use_launcher_interface()


class PeerFailed(RuntimeError):
    """Another process of the job has reported that it ends with an error."""


@contextlib.contextmanager
def end_job_on_error(prog: str) -> Iterator[None]:
    """Run the block as one process of a job: an error in it ends all processes of the job.

    If the block fails because a peer is gone, the message of the peer is the useful one. Then this
    process waits for the launcher to end it. A launcher ends the processes of its own machine only,
    so if the peer was on another machine, this process exits with a message of its own.
    """
    try:
        yield
    except BaseException as error:
        if not lost_peer(error):
            _report_failure()
            raise
        if is_launched():
            time.sleep(PATIENCE)
        sys.exit(f"{prog}: error: another process of the job is gone, or kept this one waiting "
                 f"too long; its own log says why ({' '.join(str(error).split())})")


def lost_peer(error: BaseException) -> bool:
    """Whether a collective call failed because another process had ended or never called it.

    gloo and the store notice at once that a process died; gloo raises a timeout, the store a
    ValueError. gloo also raises after 30 seconds of waiting. NCCL raises nothing: the launcher ends
    the processes that wait.
    """
    if isinstance(error, PeerFailed):
        return True
    said = str(error) if isinstance(error, (RuntimeError, ValueError)) else ""
    return "/gloo/transport/" in said or "/store/tcp_utils.h" in said


def peer_failed(store) -> bool:
    """Whether another process has recorded in Paddle's store that it ends with an error."""
    return store.add(_FAILED, 0) > 0


def leave_together(ranks) -> None:
    """Return when all processes of the job have taken their last step.

    A process that exits closes its connections. That breaks a collective call in which another
    process still is, even if the first has done its part of it. The main process holds the store,
    so it returns last. It waits 5 seconds for that at most, and each process 60 for the last step.
    """
    store = _store()
    if store is None:
        return
    with contextlib.suppress(RuntimeError, ValueError):  # the store is gone: go on
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
    """Paddle's store of the job; None if Paddle is not imported or there is one process only."""
    return getattr(sys.modules.get("paddle.distributed.collective"), "_default_store", None)


def _report_failure() -> None:
    if (store := _store()) is not None:
        with contextlib.suppress(RuntimeError, ValueError):  # the store is gone
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
    """Let the kernel kill this process when the launcher dies. Linux only.

    Without this, a launcher killed with -9 leaves its processes running, and they write to the same
    files as the next job.
    """
    pr_set_pdeathsig = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _use_launcher_interface() -> None:
    """Make gloo listen on the network interface that has the launcher's address.

    By default gloo listens on the address of the machine's name. That is often 127.0.0.1, whatever
    --host says.
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
