"""Messages between the judge and the program: plain values as JSON, preceded by their length.

Both processes use it. A program may send anything, so reading never runs code: it returns a plain
value or raises.
"""

import json
import os
import select
import struct
import time
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from fractions import Fraction

_LENGTH = struct.Struct("<Q")
LARGEST = 16 << 20  # bytes of one message


class Late(Exception):
    """The deadline passed while waiting."""


class Gone(Exception):
    """The other process has closed its end of the pipe."""


def encode(value):
    """The value as JSON types, with a type name for types that JSON lacks.

    Subclasses become their base: a Counter a dict, a named tuple a tuple. A generator becomes an
    iterator over its items. TypeError for anything that is not plain data, such as a function.
    """
    if value is None or isinstance(value, (bool, float, str)):
        return value if not isinstance(value, str) else str.__str__(value)
    if isinstance(value, int):
        return ["int", hex(value)]  # decimal digits are limited, and slow for large ones
    for name, kind in _SEQUENCES.items():
        if isinstance(value, kind):
            return [name, [encode(item) for item in value]]
    if isinstance(value, Mapping):
        return ["dict", [[encode(key), encode(item)] for key, item in value.items()]]
    if isinstance(value, Set):  # the keys of a dict among them
        return ["set", [encode(item) for item in value]]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, complex):
        return ["complex", [value.real, value.imag]]
    if isinstance(value, Fraction):
        return ["Fraction", [hex(value.numerator), hex(value.denominator)]]
    if isinstance(value, Decimal):
        return ["Decimal", str(value)]
    if isinstance(value, range):
        return ["range", [hex(part) for part in (value.start, value.stop, value.step)]]
    if isinstance(value, Iterator):
        return ["iterator", [encode(item) for item in value]]
    raise TypeError(f"a {type(value).__name__} is not plain data")


def decode(value):
    """The inverse of `encode`; ValueError, TypeError or KeyError for anything else."""
    if value is None or isinstance(value, (bool, float, str)):
        return value
    name, parts = value
    if name in _SEQUENCES:
        return _SEQUENCES[name](decode(part) for part in parts)
    return _SINGLE[name](parts)


_SEQUENCES = {"list": list, "tuple": tuple, "frozenset": frozenset}
_SINGLE = {
    "int": lambda text: int(text, 16),
    "set": lambda parts: {decode(part) for part in parts},
    "dict": lambda parts: {decode(key): decode(item) for key, item in parts},
    "iterator": lambda parts: iter([decode(part) for part in parts]),
    "bytes": bytes.fromhex,
    "complex": lambda parts: complex(*parts),
    "Fraction": lambda parts: Fraction(*(int(part, 16) for part in parts)),
    "Decimal": Decimal,
    "range": lambda parts: range(*(int(part, 16) for part in parts)),
}


def send(descriptor: int, value) -> None:
    """Send a value of JSON types. Gone if the pipe has no reader, ValueError if it is too large."""
    text = json.dumps(value).encode("ascii")
    if len(text) > LARGEST:
        raise ValueError(f"a value of {len(text)} bytes is beyond {LARGEST}")
    rest = memoryview(_LENGTH.pack(len(text)) + text)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest):]
    except OSError as error:
        raise Gone from error


def receive(descriptor: int, deadline: float | None = None):
    """Receive a value. Gone if the pipe is closed, Late after `deadline` (of time.monotonic),
    ValueError if the message is too large or not JSON.
    """
    (length,) = _LENGTH.unpack(_read(descriptor, _LENGTH.size, deadline))
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes is beyond {LARGEST}")
    return json.loads(_read(descriptor, length, deadline))


def _read(descriptor: int, count: int, deadline: float | None) -> bytes:
    parts = bytearray()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(parts) < count:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and (left <= 0 or not poll.poll(left * 1000)):
            raise Late
        part = os.read(descriptor, min(count - len(parts), 1 << 16))
        if not part:
            raise Gone
        parts += part
    return bytes(parts)
