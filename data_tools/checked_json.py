"""JSON files that this project wrote, read as if a stranger had: every known key has its type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 1 << 26


class Kind(NamedTuple):
    """What a key may hold: for messages, and as a test of a value."""

    spoken: str
    holds: Callable[[object], bool]


def whole(least: int = 0, most: int = 2**63 - 1) -> Kind:
    """A whole number. To Python true and false are numbers as well."""
    return Kind(f"a whole number from {least} to {most}",
                lambda value: type(value) is int and least <= value <= most)


def perhaps(kind: Kind) -> Kind:
    """The kind, or null."""
    return Kind(f"{kind.spoken}, or null", lambda value: value is None or kind.holds(value))


def listed(kind: Kind, length: int | None = None) -> Kind:
    return Kind(f"a list of {'' if length is None else f'{length} times '}{kind.spoken}",
                lambda value: isinstance(value, list) and length in (None, len(value))
                and all(map(kind.holds, value)))


ANYTHING = Kind("anything", lambda value: True)
TEXT = Kind("a text", lambda value: isinstance(value, str))
BOOLEAN = Kind("true or false", lambda value: isinstance(value, bool))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
HASH = Kind("64 hexadecimal digits",
            lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)))
# Joined to a folder: a path would lead out of it.
NAME = Kind("a name without a folder", lambda value: isinstance(value, str)
            and bool(re.fullmatch(r"(?!\.\.?$)[^/\\\0]+", value)))


def read_object(path: Path, what: str, kinds: Mapping[str, Kind],
                required: Collection[str] = ()) -> dict:
    """The object in a file, with whatever other keys it has.

    ValueError, in one sentence with the file and the key, unless it has the keys `required`, and
    each key of `kinds` that it has holds that kind. what: the file, in a message: "meta file".
    """
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ValueError(f"expected a file of at most {MAX_BYTES} bytes")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(found, dict):
            raise ValueError("it is not a JSON object")
        for key in required:
            if key not in found:
                raise ValueError(f"it has no {key!r}")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable {what}: {error}") from None
    for key, value in found.items():
        if not kinds.get(key, ANYTHING).holds(value):
            raise ValueError(f"{path}: {key} is {shown(value)}, expected {kinds[key].spoken}")
    return found


def shown(value: object) -> str:
    """The beginning of a value, for messages."""
    try:
        return ascii(str(value))[:60]
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested deeply
        return f"of type {type(value).__name__}"
