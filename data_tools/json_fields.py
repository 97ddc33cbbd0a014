"""JSON objects in files that others may have written or edited, and checks of their fields.

    read_object(path, {"step": whole(), "note": optional(text())}, required=["step"])

A ValueError of one line names the file and the field, with what was expected of it. Standard
library only.
"""

import json
import re
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

MAX_BYTES = 1 << 26
MAX_DEPTH = 64  # of lists and objects inside each other
LARGEST = 2**31 - 1  # of whole numbers, unless a field says otherwise
MOST = 2**63 - 1  # of a count of tokens or bytes


class Field(NamedTuple):
    """expected: in words, the values for which `holds` is true."""

    expected: str
    holds: Callable[[Any], bool]


def whole(least: int = 0, most: int = LARGEST) -> Field:
    """A whole number; true and false, which Python counts as numbers, are none."""
    return Field(f"a whole number from {least} to {most}",
                 lambda value: type(value) is int and least <= value <= most)


def number(least: float = -sys.float_info.max, most: float = sys.float_info.max) -> Field:
    """A finite number."""
    limits = [f"{word} {limit:g}" for word, limit in (("from", least), ("to", most))
              if abs(limit) < sys.float_info.max]
    return Field(" ".join(["a finite number", *limits]),
                 lambda value: type(value) in (int, float) and least <= value <= most)


def text() -> Field:
    """A text of one line without control characters."""
    return Field("a text of one line", lambda value: isinstance(value, str) and value.isprintable())


def optional(field: Field) -> Field:
    return Field(f"{field.expected} or null", lambda value: value is None or field.holds(value))


def list_of(field: Field, length: int | None = None) -> Field:
    of = "" if length is None else f" of {length}"
    return Field(f"a list{of}, each item {field.expected}",
                 lambda value: isinstance(value, list | tuple) and length in (None, len(value))
                 and all(map(field.holds, value)))


def object_of(field: Field) -> Field:
    return Field(f"an object, each value {field.expected}",
                 lambda value: isinstance(value, dict) and all(map(field.holds, value.values())))


def either(*kinds: Field) -> Field:
    return Field(" or ".join(kind.expected for kind in kinds),
                 lambda value: any(kind.holds(value) for kind in kinds))


ANYTHING = Field("anything", lambda value: True)
OBJECT = object_of(ANYTHING)
HASH = Field("64 hexadecimal digits",
             lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)))
# Joined to a folder: a path would lead out of it.
NAME = Field("a name without a folder", lambda value: isinstance(value, str)
             and bool(re.fullmatch(r"(?!\.\.?$)[^/\\\0]+", value)))
TRUTH = Field("true or false", lambda value: isinstance(value, bool))
SCALAR = optional(either(TRUTH, number(), text()))


def check(values: Mapping[str, Any], fields: Mapping[str, Field], required: Collection[str] = (),
          inside: str = "") -> None:
    """ValueError for the first field that is missing or holds something else.

    Values without a field are not looked at. inside: the name of the object, for messages.
    """
    place = f"{inside}." if inside else ""
    for name in required:
        if name not in values:
            raise ValueError(f"{place}{name} is missing, expected {fields[name].expected}")
    for name, field in fields.items():
        if name in values and not field.holds(values[name]):
            raise ValueError(
                f"{place}{name} is {shown(values[name])}, expected {field.expected}")


def read_object(path: Path, fields: Mapping[str, Field] = MappingProxyType({}),
                required: Collection[str] = ()) -> dict[str, Any]:
    """The checked object in the file; ValueError, which names it, where there is none or `check`
    refuses it.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise ValueError("there is no such file")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        values = parsed(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    try:
        check(values, fields, required)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return values


def parsed(content: bytes) -> dict[str, Any]:
    """The object that UTF-8 bytes stand for; ValueError for anything else.

    Stricter than Python's json: NaN and infinity, which are no JSON, keys that are there twice, and
    deep nesting, which would break what walks over the values later, are refused.
    """
    try:
        values = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object,
                            parse_constant=_no_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object")
    level: list[Any] = [values]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level
                 for inner in (outer.values() if isinstance(outer, dict) else outer)
                 if isinstance(inner, dict | list)]
        if not level:
            return values
    raise ValueError(_TOO_DEEP)


def shown(value: Any) -> str:
    """The value for a message, in one line, cut to 60 characters."""
    if isinstance(value, dict | list):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object"
    found = repr(value) if isinstance(value, str) else json.dumps(value)
    return found if len(found) <= 60 else f"{found[:57]}..."


_TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {shown(name)} is there twice")
        found[name] = value
    return found


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
