"""Values of flags that do not come from a command line: from a file, or from Python.

Standard library only.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any


def checked(flags: Iterable, values: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The values as the command line would give them.

    flags: data_tools.options.Flag of every flag. place: what stands before a flag's name in a
    message. ValueError for a name that is no flag, with the nearest one, for two names of one flag,
    and for a value of another type or beside the flag's choices.
    """
    known = {name: flag for flag in flags
             for name in (flag.name, *(alias.lstrip("-") for alias in flag.aliases))}
    found, told = {}, {}
    for name, value in values.items():
        if name not in known:
            (nearest,) = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
            raise ValueError(f"{place}there is no flag {name}; the nearest one is {nearest}")
        flag = known[name]
        if flag.name in found:
            raise ValueError(f"{place}{told[flag.name]} and {name} are names of one flag")
        told[flag.name] = name
        found[flag.name] = _value(f"{place}{name}", value, flag)
    return found


def _value(place: str, value: Any, flag) -> Any:
    """The value as the command line would give it; ValueError where it is of another type."""
    if value is None and flag.default is None:
        return None
    if not flag.many:
        return _one(place, value, flag)
    if not isinstance(value, list):
        raise ValueError(f"{place} must be a list, got {_shown(value)}")
    return [_one(f"{place}, item {number},", item, flag)
            for number, item in enumerate(value, start=1)]


def _one(place: str, value: Any, flag) -> Any:
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    allowed = flag.choices or ()
    if flag.type is bool:
        if not isinstance(value, bool) and value not in allowed:
            raise ValueError(f"{place} must be {', '.join(('true', 'false', *allowed))}, got "
                             f"{_shown(value)}")
        return value
    # To Python a boolean is a whole number, and a whole number is no float.
    types = (int, float) if flag.type is float else flag.type
    if isinstance(value, bool) or not isinstance(value, types):
        kind = {int: "a whole number", float: "a number", str: "text"}[flag.type]
        raise ValueError(f"{place} must be {kind}, got {_shown(value)}{_hint(value, flag)}")
    if allowed and value not in allowed:
        raise ValueError(f"{place} must be one of {', '.join(map(str, allowed))}, got "
                         f"{_shown(value)}")
    try:
        return flag.type(value)
    except OverflowError:
        raise ValueError(f"{place} is too large a number") from None


def _hint(value: Any, flag) -> str:
    """What mends a number that YAML takes for text, as it does with 1e-4."""
    try:
        return f"; write {flag.type(value)} without quotes" if isinstance(value, str) else ""
    except ValueError:
        return ""


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
