"""The process of the judged program: it runs the program and answers calls of its function."""

import contextlib
import os

from . import messages


def answer(requests: int, replies: int) -> None:
    """Run the program from the first request, then call its function for each further request.

    Every request gets one reply: ["value", result, arguments afterwards] or ["error", type, text].
    The program can change anything in this process, so the judge is another process.
    """
    program, entry_point = messages.receive(requests)
    scope: dict = {}
    reply = _attempt(lambda: exec(compile(program, "<program>", "exec"), scope))
    while True:
        _reply(replies, reply)
        arguments = messages.decode(messages.receive(requests))
        reply = _attempt(lambda given=arguments: _call(scope, entry_point, *given))


def _call(scope: dict, name: str, positional: list, named: dict) -> list:
    if name not in scope:
        raise NameError(f"the program defines no {name}")
    result = messages.encode(scope[name](*positional, **named))
    return [result, messages.encode([positional, named])]


def _attempt(action) -> list:
    try:
        return ["value", action()]
    except BaseException as error:  # SystemExit must not end this loop either
        text = "no message"
        with contextlib.suppress(BaseException):
            text = str(error)[:1000]
        return ["error", type(error).__name__, text]


def _reply(replies: int, reply: list) -> None:
    try:
        messages.send(replies, reply)
    except ValueError as error:
        messages.send(replies, ["error", "ValueError", str(error)])


def run(requests: int, replies: int) -> None:
    """`answer` until the judge kills this process; any error ends it, and the program fails."""
    try:
        answer(requests, replies)
    finally:
        os._exit(1)
