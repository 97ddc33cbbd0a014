"""Set up the walls, then start two processes: one runs the program, the other judges it.

The started process makes new namespaces and forks the judge, which is the first process of its pid
namespace. The judge sets up the other walls and forks the program. When the judge ends, the kernel
kills every process of its namespace.
"""

import json
import os
import signal
import sys

from . import calls, kernel, solution, walls
from .judge import judge


def main(kind: str, seconds: float, memory: int) -> None:
    """Read a task as JSON from stdin and write JSON lines to stdout.

    The lines are {"walls": [...]} once these are set up, then {"verdict": ...}; or, instead of
    either, {"missing": what the kernel refused}. kind: see walls.py. memory: in bytes.
    """
    os.environ.clear()
    sys.path.pop(0)  # the path of this package, which the program must not import
    try:
        if kind == "namespaces":
            walls.leave_namespaces()
        kernel.die_with_parent()
        child = os.fork()
        if child == 0:
            _inside(kind, seconds, memory)
    except (kernel.Missing, OSError) as error:
        _tell(1, {"missing": str(error)})
        os._exit(1)
    os.close(1)
    os.waitpid(child, 0)


def _inside(kind: str, seconds: float, memory: int) -> None:
    verdicts = os.dup(1)
    try:
        standing = _raise_walls(kind, seconds, memory)
        requests, to_program = os.pipe()
        from_program, replies = os.pipe()
        child = os.fork()
    except (kernel.Missing, OSError) as error:
        _tell(verdicts, {"missing": str(error)})
        os._exit(1)
    if child == 0:
        _be_the_program(requests, replies)
    os.close(requests)
    os.close(replies)
    try:
        kernel.hide_memory()
        calls.allow()
        _tell(verdicts, {"walls": standing})
        task = _job()
        _tell(verdicts, {"verdict": judge(task, to_program, from_program, seconds)})
    except kernel.Missing as error:
        _tell(verdicts, {"missing": str(error)})
    finally:
        os._exit(0)  # the program dies with its parent


def _raise_walls(kind: str, seconds: float, memory: int) -> list[str]:
    """Set up all walls except the list of system calls, which differs between judge and program.

    Returns the names of all walls.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # the first process of a namespace ignores them
    standing = []
    nothing = os.open(os.devnull, os.O_RDWR)
    if kind == "namespaces":
        walls.enter_view()
        standing.append(walls.NAMESPACES)
        standing.append("user nobody" if os.geteuid() == 0 else "user namespace")
        walls.become_nobody()
    kernel.gain_nothing()
    if kind == "landlock":
        walls.confine_files()
        standing.append(walls.LANDLOCK)
    kernel.drop_capabilities()
    kernel.die_with_parent()
    walls.limit(seconds, memory)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    return [*standing, *walls.ALWAYS]


def _be_the_program(requests: int, replies: int) -> None:
    """Run the program with only the two pipes open. stdin is replaced, since it has the tests."""
    try:
        kernel.die_with_parent()
        os.dup2(1, 0)
        keep = sorted((requests, replies))
        for first, end in ((3, keep[0]), (keep[0] + 1, keep[1]), (keep[1] + 1, 4096)):
            os.closerange(first, end)
        calls.allow()
        solution.run(requests, replies)
    finally:
        os._exit(1)


def _job() -> dict:
    with open(0, "rb") as file:
        return json.loads(file.read())


def _tell(descriptor: int, line: dict) -> None:
    os.write(descriptor, json.dumps(line).encode("ascii") + b"\n")
