"""A sandbox for untrusted programs. Its walls, as this package calls them, are in jail/walls.py.

A program runs in a process of its own with Python's standard library. It has no network, cannot
write any file, and cannot start a process or thread. Its judge runs the tests in another process in
the same sandbox, so the program sees neither the tests nor the pipe that the verdict goes to.
A program can still use up its time and memory, and read Python's library and other public files
beside it. Under Landlock it can also learn the existence, size and age of other files. A bug in the
kernel may allow more.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from paddle_impl.evaluation.humaneval.tasks import Task, as_program

KINDS = ("namespaces", "landlock")  # of sandboxes, the better first; see jail/walls.py
_START = ("import sys; sys.path.insert(0, sys.argv[1]); from jail.main import main; "
          "main(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))")
_READY = 60.0  # seconds to set the walls up; this takes 0.05, but the machine may be busy
_LAST_WORD = 5.0  # seconds for the judge's verdict after the program's time

_PROOF = Task(
    "proof", "def attempt(path, port):\n    pass\n", "attempt", "", "def check(candidate):\n"
    "    done = candidate({path!r}, {port})\n    assert done == [], ', '.join(done)\n",
)
_ATTEMPTS = '''
import os, socket

def attempt(path, port):
    attempts = {
        "reads a file": lambda: open(path).close(),
        "writes a file": lambda: open(path, "w").close(),
        "makes a file": lambda: open(path + ".new", "w").close(),
        "empties a file": lambda: os.close(os.open(path, 3 | os.O_TRUNC)),
        "changes a file's rights": lambda: os.chmod(path, 0),
        "removes a file": lambda: os.remove(path),
        "reaches the network": lambda: socket.create_connection(("127.0.0.1", port), 1),
        "starts a process": lambda: os.fork() or os._exit(0),
    }
    done = []
    for name, action in attempts.items():
        try:
            action()
        except OSError:
            continue
        done.append(name)
    return done
'''


class NotStarted(OSError):
    """The walls could not be set up, so the program was not run."""


class Sandbox:
    """Judges programs; any thread may call it.

    seconds: wall-clock limit of a program. memory_mib: limit of its address space. kind: one of
    KINDS; None takes the first that works here. ValueError if none does: then nothing may be run.
    walls: the names of the walls.
    """

    def __init__(self, seconds: float, memory_mib: int, kind: str | None = None):
        if not 0 < seconds <= 3600:
            raise ValueError("execution_timeout must lie between 0 and 3600 seconds, "
                             f"got {seconds}")
        if not 64 <= memory_mib <= 1 << 20:
            raise ValueError("execution_memory_mib must lie between 64, which Python itself needs, "
                             f"and 1048576, got {memory_mib}")
        self._seconds = seconds
        self._memory = memory_mib << 20
        self._kind, self.walls = self._first_that_holds([kind] if kind else KINDS)

    def judge(self, task: Task, completion: str) -> str:
        """Run task.prompt + completion: "passed", "timed out", "failed: " and the reason, or "not
        judged: " and why the tests can be passed by no program.
        """
        return self._judge(self._kind, task, completion)[1]

    def _first_that_holds(self, kinds) -> tuple[str, tuple[str, ...]]:
        reasons = []
        for kind in kinds:
            try:
                return kind, self._prove(kind)
            except OSError as error:
                reasons.append(f"{kind}: {error}")
        raise ValueError(
            "generated programs are not run: nothing here keeps them from the network, from other "
            f"files and from going on ({'; '.join(reasons)}); it takes Linux 5.13 or later with "
            "user namespaces or Landlock, on x86-64 or 64-bit ARM"
        )

    def _prove(self, kind: str) -> tuple[str, ...]:
        """Check the walls with a program that tries forbidden actions, on a temporary file and
        port. Returns the walls' names; NotStarted if any action succeeds.
        """
        with tempfile.TemporaryDirectory() as directory, socket.create_server(
            ("127.0.0.1", 0)
        ) as server:
            path = Path(directory, "file")
            path.write_text("whole")
            port = server.getsockname()[1]
            task = replace(_PROOF, test=_PROOF.test.format(path=str(path), port=port))
            standing, verdict = self._judge(kind, task, _ATTEMPTS)
            whole = os.listdir(directory) == ["file"] and path.read_text() == "whole"
        if verdict != "passed" or not whole:
            raise NotStarted(f"a program behind these walls: {verdict}")
        return standing

    def _judge(self, kind: str, task: Task, completion: str) -> tuple[tuple[str, ...], str]:
        job = {"program": task.prompt + completion, "prompt": as_program(task.prompt),
               "test": task.test, "entry_point": task.entry_point}
        with _started(kind, self._seconds, self._memory, job) as process:
            lines = _Lines(process.stdout.fileno())
            ready = lines.next(_READY)
            if "walls" not in ready:
                raise NotStarted(ready.get("missing", "no answer from a new Python"))
            said = lines.next(self._seconds + _LAST_WORD)
        if "missing" in said:
            raise NotStarted(said["missing"])
        return tuple(ready["walls"]), said.get("verdict", "timed out" if lines.late else
                                               "failed: the tests ended without a verdict")


@contextlib.contextmanager
def _started(kind: str, seconds: float, memory: int, job: dict):
    """Start the sandbox's process with the job on stdin; kill it and its children at the end."""
    if not sys.platform.startswith("linux"):
        raise NotStarted(f"no such walls on {sys.platform}")
    with os.fdopen(os.memfd_create("job"), "wb+") as file:
        file.write(json.dumps(job).encode("ascii"))
        file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, str(Path(__file__).parent), kind,
             str(seconds), str(memory)],
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            start_new_session=True,
            # Some Pythons need this to find their C library. main.py empties the environment.
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


class _Lines:
    """Reads JSON lines from a pipe, each with a time limit.

    `next` returns {} if there is no line; then `late` tells whether the time ran out.
    """

    def __init__(self, descriptor: int):
        self.late = False
        self._descriptor = descriptor
        self._rest = b""

    def next(self, seconds: float) -> dict:
        until = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while b"\n" not in self._rest:
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                self.late = True
                return {}
            part = os.read(self._descriptor, 1 << 16)
            if not part:
                return {}
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)
