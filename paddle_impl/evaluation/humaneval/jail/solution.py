"""The side of the program that is judged: it defines functions and answers calls of one of them."""

import contextlib
import os

from . import messages


def answer(requests: int, replies: int) -> None:
    """Run the program that comes first, then call its function as often as is asked.

    Every request gets one reply: ["value", result, arguments afterwards] or ["error", type, text].
    The program may do whatever it likes to this process; its judge is another one.
    """
    program, entry_point = messages.receive(requests)
    scope: dict = {}
    reply = _attempt(lambda: exec(compile(program, "<program>", "exec"), scope))
    while True:
        _reply(replies, reply)
        arguments = messages.decode(messages.receive(requests))
        reply = _attempt(lambda given=arguments: _call(scope[entry_point], *given))


def _call(function, positional: list, named: dict) -> list:
    result = messages.encode(function(*positional, **named))
    return [result, messages.encode([positional, named])]


def _attempt(action) -> list:
    try:
        return ["value", action()]
    except BaseException as error:  # SystemExit too is no way past the tests
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
    """`answer` until the judge ends it; what goes wrong here is the program's own fault."""
    try:
        answer(requests, replies)
    finally:
        os._exit(1)
