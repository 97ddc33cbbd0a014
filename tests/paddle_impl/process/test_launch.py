"""What a process does when a launcher started it, tested without Paddle."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from paddle_impl.process import launch

LAUNCHED = {"PADDLE_TRAINER_ID": "3", "PADDLE_TRAINERS_NUM": "4", "PADDLE_LOG_DIR": "log",
            "PADDLE_CURRENT_ENDPOINT": "127.0.0.1:35100"}


def python(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", f"from paddle_impl.process import launch\n{program}"],
        capture_output=True, text=True, env=os.environ | environment, check=False,
    )


def test_every_line_of_an_error_carries_the_rank():
    process = python(
        "import sys\nlaunch.prepare()\nprint('to the reader')\n"
        "print('a', 'b', file=sys.stderr)\nraise KeyError('mine')", **LAUNCHED)
    assert process.stdout == "to the reader\n"
    lines = process.stderr.splitlines()
    assert lines[0] == "[rank 3] a b" and lines[1] == "[rank 3] Traceback (most recent call last):"
    assert lines[-1] == "[rank 3] KeyError: 'mine'"
    assert all(line.startswith("[rank 3] ") for line in lines)


def test_alone_nothing_changes():
    process = python("import os, sys\nbefore = os.environ.copy()\nlaunch.prepare()\n"
                     "print('plain', file=sys.stderr)\nassert os.environ == before")
    assert (process.returncode, process.stderr) == (0, "plain\n")


def test_gloo_gets_the_interface_of_the_launchers_address():
    program = "import os\nlaunch.prepare()\nprint(os.environ.get('GLOO_SOCKET_IFNAME'))"
    names = {name for _, name in socket.if_nameindex()}
    assert "lo" in names
    assert python(program, **LAUNCHED).stdout == "lo\n"
    assert python(program, **LAUNCHED, GLOO_SOCKET_IFNAME="ib0").stdout == "ib0\n"
    elsewhere = LAUNCHED | {"PADDLE_CURRENT_ENDPOINT": "192.0.2.1:35100"}
    assert python(program, **elsewhere).stdout == "None\n"


def test_a_launched_process_dies_with_its_parent():
    """The parent starts a child that would sleep for a minute, and is killed."""
    child = "from paddle_impl.process import launch; launch.prepare(); print(1, flush=True); " \
            "import time; time.sleep(60)"
    parent = subprocess.Popen(
        [sys.executable, "-c",
         "import subprocess, sys\n"
         f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)\n"
         "child.stdout.readline()\n"
         "print(child.pid, flush=True)\n"
         "child.wait()"],
        stdout=subprocess.PIPE, text=True, env=os.environ | LAUNCHED,
    )
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until and os.path.exists(f"/proc/{pid}"):
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


GONE = ("[/paddle/third_party/gloo/gloo/transport/tcp/pair.cc:584] TIMEOUT self_rank = 0 "
        "pair_rank = 1 peer_str = [127.0.0.1]:14217")
STORE_GONE = ("(InvalidArgument) TCP receive error. Details: Connection reset by peer.\n  [Hint: "
              "Expected > 0] (at /paddle/phi/core/distributed/store/tcp_utils.h:107)")


def test_whose_fault_it_is():
    """The messages are Paddle's own, of 2.6.2 and 3.3.1."""
    for error in (RuntimeError(GONE), ValueError(STORE_GONE), launch.PeerFailed()):
        assert launch.lost_peer(error)
    for error in (RuntimeError("CUDA error(2)"), ValueError("--seed"), OSError(GONE)):
        assert not launch.lost_peer(error)


def test_an_error_of_its_own_passes():
    with pytest.raises(KeyError), launch.end_job_on_error("prog"):
        raise KeyError("mine")


def test_a_process_that_lost_a_peer_waits_for_the_launcher_to_end_it():
    """In silence: the launcher's signal ends it before it says anything."""
    program = ("import os, signal, threading\n"
               "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
               f"with launch.end_job_on_error('prog'):\n    raise RuntimeError({GONE!r})\n")
    process = python(program, **LAUNCHED)
    assert (process.returncode, process.stdout, process.stderr) == (-signal.SIGTERM, "", "")


def test_who_is_not_ended_says_what_it_knows(monkeypatch):
    """Another machine's process is missing, or a person started this one without a launcher."""
    waited = []
    monkeypatch.setattr(launch.time, "sleep", waited.append)
    for environment, pauses in ((LAUNCHED, 1), ({}, 0)):
        for name in LAUNCHED:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        waited.clear()
        with pytest.raises(SystemExit) as exit_, launch.end_job_on_error("prog"):
            raise ValueError(STORE_GONE)
        assert exit_.value.code.startswith("prog: error: another process of the job is gone")
        assert "Connection reset by peer. [Hint: " in exit_.value.code
        assert len(waited) == pauses


class Store(dict):
    def add(self, key, more):
        self[key] = self.get(key, 0) + more
        return self[key]


def test_an_error_is_told_to_those_who_wait(monkeypatch):
    """Nobody else would tell a process on another machine."""
    store = Store()
    monkeypatch.setattr(sys.modules["paddle.distributed.collective"], "_default_store", store)
    assert not launch.peer_failed(store)
    with launch.end_job_on_error("prog"):
        pass
    with pytest.raises(SystemExit), launch.end_job_on_error("prog"):
        raise launch.PeerFailed
    assert not launch.peer_failed(store)
    with pytest.raises(SystemExit), launch.end_job_on_error("prog"):
        sys.exit(2)
    assert launch.peer_failed(store)


class Place:
    def __init__(self, rank, world_size):
        self.is_main, self.world_size = rank == 0, world_size


def test_nobody_leaves_before_the_last_has_come(monkeypatch):
    """And the first, in whose process the store is, after all others."""
    store, order, come = Store(), [], threading.Event()
    monkeypatch.setattr(sys.modules["paddle.distributed.collective"], "_default_store", store)

    def leave(rank):
        if rank == 2:
            come.wait()
            order.append("the last comes")
        launch.leave_together(Place(rank, 3))
        order.append(rank)

    threads = [threading.Thread(target=leave, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    while store.get("leaving", 0) < 2:
        time.sleep(0.001)
    come.set()
    for thread in threads:
        thread.join()
    assert order[0] == "the last comes" and sorted(order[1:]) == [0, 1, 2]
    assert store["left"] == 2


def test_a_store_that_is_gone_keeps_nobody(monkeypatch):
    class Gone(Store):
        def add(self, key, more):
            raise ValueError(STORE_GONE)

    monkeypatch.setattr(sys.modules["paddle.distributed.collective"], "_default_store", Gone())
    launch.leave_together(Place(1, 2))
    monkeypatch.setattr(sys.modules["paddle.distributed.collective"], "_default_store", None)
    launch.leave_together(Place(0, 1))
