"""A command's settings from flags given by their names, for callers without a command line."""

import os
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from paddle_impl.config.options import require

Config = TypeVar("Config")


def by_name(config: type[Config], flags: Mapping[str, Any]) -> Config:
    """The dataclass with these flags, and the defaults of all others.

    A field that is a dataclass itself is a group: its flags are given by their own names. Paths
    become text. ValueError for an unknown name, a value of another type or beside a flag's
    choices, and for a flag that is required and missing.
    """
    known = set(_names(config))
    for name in flags:
        near = get_close_matches(name, known, 1)
        require(name in known,
                f"there is no flag {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return _filled(config, flags)


def _names(config: type) -> Iterator[str]:
    hints = typing.get_type_hints(config)
    for item in fields(config):
        if is_dataclass(hints[item.name]):
            yield from _names(hints[item.name])
        else:
            yield item.name


def _filled(config: type, flags: Mapping[str, Any]) -> Any:
    hints, values = typing.get_type_hints(config), {}
    for item in fields(config):
        hint = hints[item.name]
        if is_dataclass(hint):
            values[item.name] = _filled(hint, flags)
        elif item.name in flags:
            values[item.name] = _value(item, hint, flags[item.name])
        else:
            require(item.default is not MISSING or item.default_factory is not MISSING,
                    f"{item.name} is required: {item.metadata.get('help', 'it has no default')}")
    return config(**values)


def _value(item, hint: Any, value: Any) -> Any:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    require(any(_is(value, kind) for kind in kinds),
            f"{item.name} takes {' or '.join(map(_called, kinds))}, got {value!r}")
    choices = item.metadata.get("choices")
    require(choices is None or value in choices or (bool in kinds and isinstance(value, bool))
            or value is None,
            f"{item.name} takes one of {', '.join(map(str, choices or ()))}, got {value!r}")
    is_tuple = isinstance(value, list) and tuple in map(typing.get_origin, kinds)
    return tuple(value) if is_tuple else value


def _is(value: Any, kind: Any) -> bool:
    """A whole number is a float too; True and False are no numbers."""
    if typing.get_origin(kind) in (list, tuple):
        inner = typing.get_args(kind)[0]
        return isinstance(value, (list, tuple)) and all(_is(one, inner) for one in value)
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _called(kind: Any) -> str:
    if typing.get_origin(kind) in (list, tuple):
        return f"a list of {typing.get_args(kind)[0].__name__}"
    return "None" if kind is types.NoneType else kind.__name__
