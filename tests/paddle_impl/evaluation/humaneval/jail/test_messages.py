"""Plain values are sent over a pipe unchanged; anything else is refused."""

import collections
import json
import os
import struct
import time
from decimal import Decimal
from fractions import Fraction

import pytest

from paddle_impl.evaluation.humaneval.jail import messages

Pair = collections.namedtuple("Pair", "a b")


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass  # the test has closed it


@pytest.mark.parametrize("value", [
    None, True, False, 0, -1, 10 ** 5000, 1.5, float("inf"), "", "ä\ud800\0", b"\0\xff", 1j,
    [], [1, [2]], (), (1, (2,)), set(), {1, (2,)}, frozenset({1}), {}, {1: {"a": None}, (2,): []},
    Fraction(1, 3), Decimal("1.10"), range(2, 9, 3),
], ids=lambda value: type(value).__name__)
def test_there_and_back(value):
    back = messages.decode(json.loads(json.dumps(messages.encode(value))))
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize(("value", "plain"), [
    (collections.Counter("aab"), {"a": 2, "b": 1}), (Pair(1, 2), (1, 2)), ({1: 2}.keys(), {1}),
    (collections.OrderedDict(a=1), {"a": 1}), (type("Int", (int,), {})(3), 3),
    (type("Text", (str,), {})("a"), "a"), (bytearray(b"a"), b"a"),
])
def test_a_subclass_becomes_what_it_is_made_of(value, plain):
    back = messages.decode(json.loads(json.dumps(messages.encode(value))))
    assert back == plain and type(back) is type(plain)


@pytest.mark.parametrize("value", [iter([1, (2,)]), map(abs, [-1, 2]), (i for i in "ab")])
def test_an_iterator_gives_what_it_gave(value):
    back = messages.decode(json.loads(json.dumps(messages.encode([value]))))[0]
    assert iter(back) is back and list(back) in ([1, (2,)], [1, 2], ["a", "b"])


@pytest.mark.parametrize("value", [object(), len, [lambda: 0], {1: [map, abs]}])
def test_what_is_not_plain_data(value):
    with pytest.raises(TypeError, match="is not plain data"):
        messages.encode(value)


@pytest.mark.parametrize("hostile", [
    7, [], ["int"], ["int", 7], ["os", ["system"]], ["bytes", "x"], [["list"], []], {"a": 1},
    ["dict", [[["list", []], 1]]], ["Fraction", ["0x1", "0x0"]], ["complex", ["a", "b"]],
])
def test_what_is_no_value(hostile):
    with pytest.raises((ValueError, TypeError, KeyError, ZeroDivisionError)):
        messages.decode(hostile)


def test_a_message_crosses_a_pipe(pipe):
    messages.send(pipe[1], ["a", 1.0, None])
    messages.send(pipe[1], "b")
    assert messages.receive(pipe[0]) == ["a", 1.0, None]
    assert messages.receive(pipe[0], time.monotonic() + 9) == "b"


def test_nothing_comes_in_time(pipe):
    os.write(pipe[1], struct.pack("<Q", 9) + b"half")
    with pytest.raises(messages.Late):
        messages.receive(pipe[0], time.monotonic() + 0.05)


def test_the_other_side_is_gone(pipe):
    os.close(pipe[1])
    with pytest.raises(messages.Gone):
        messages.receive(pipe[0])


def test_no_one_reads(pipe):
    os.close(pipe[0])
    with pytest.raises(messages.Gone):
        messages.send(pipe[1], "x")


def test_a_message_beyond_the_limit(pipe):
    with pytest.raises(ValueError, match="beyond"):
        messages.send(pipe[1], "x" * messages.LARGEST)
    os.write(pipe[1], struct.pack("<Q", 1 << 60))
    with pytest.raises(ValueError, match="beyond"):
        messages.receive(pipe[0])
