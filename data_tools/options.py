"""Flags as the fields of dataclasses: related flags form a group, and commands nest groups.

    @dataclass(frozen=True, kw_only=True)
    class SamplingOptions(Options):
        top_k: int = flag(5, "sample among the k likeliest tokens")

        def __post_init__(self):
            require(self.top_k >= 0, f"--top_k must not be negative, got {self.top_k}")

    @dataclass(frozen=True, kw_only=True)
    class Command(Options):
        sampling: SamplingOptions = group(SamplingOptions, top_k=0)  # with another default

    Command.of(top_k=3).sampling.top_k == 3

A flag is declared and checked in one group. Every command that has the flag nests this group; it
may change the default, the help and the choices, and show a part of the flags. Rules that span
groups stand in the command's own __post_init__. args.py makes a command line of such a class.

This module stands in data_tools because data_tools may not import paddle_impl, while paddle_impl
may import data_tools: both declare their flags with it. It needs the standard library only, so that
--help answers at once.
"""

from __future__ import annotations

import math
import types
import typing
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from functools import partial, reduce
from typing import Any

from data_tools import flag_values

Command = typing.TypeVar("Command", bound="Options")


@dataclass(frozen=True)
class Flag:
    """A flag as a command has it.

    path: the names of the fields that lead to its value, its own name last. type: of one value;
    many: the value is a list of them. default: MISSING where the flag is required. choices: the
    values that are allowed; of a boolean, the words that are allowed beside true and false.
    aliases: its other names on a command line, such as -p or --lr, and without the hyphens in a
    file.
    """

    name: str
    path: tuple[str, ...]
    type: type
    many: bool
    default: Any
    help: str
    choices: tuple | None
    aliases: tuple[str, ...]
    positional: bool

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def value(self, options: Options) -> Any:
        return reduce(getattr, self.path, options)


def flag(
    default: Any = MISSING, help: str = "", *, choices: tuple | None = None,
    aliases: tuple[str, ...] = (), positional: bool = False,
):
    """A dataclass field that args.py turns into `--name`; no default makes it required.

    aliases: other names such as -p. positional: the value is given without `--name`.
    """
    metadata = {"help": help, "choices": choices, "aliases": aliases, "positional": positional}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Change:
    """How a flag of a command differs from its declaration; None and MISSING keep what is there."""

    default: Any
    help: str | None
    choices: tuple | None
    aliases: tuple[str, ...]

    def applied(self, one: Flag) -> Flag:
        return replace(
            one, default=one.default if self.default is MISSING else self.default,
            help=self.help or one.help, choices=self.choices or one.choices,
            aliases=(*one.aliases, *self.aliases),
        )


def changed(
    default: Any = MISSING, help: str | None = None, choices: tuple | None = None,
    aliases: tuple[str, ...] = (),
):
    """For group(): another default, help or choices of a flag, and more names for it."""
    return Change(default, help, choices, aliases)


def group(options: type[Options], *, only: tuple[str, ...] | None = None, **changes: Any):
    """A dataclass field that holds a group of flags.

    only: the flags that the command shows; the others keep their defaults. changes: a flag's other
    default, or what changed() says of it.
    """
    changes = {name: one if isinstance(one, Change) else changed(one)
               for name, one in changes.items()}
    names = {one.name for one in options.flags()}
    assert {*changes, *(only or ())} <= names, f"{options.__name__} has only {sorted(names)}"
    defaults = {name: one.default for name, one in changes.items() if one.default is not MISSING}
    return field(
        default_factory=partial(_build, options, defaults),
        metadata={"group": options, "only": only, "changes": changes, "defaults": defaults},
    )


class Options:
    """The base of every group and of every command, which are frozen dataclasses."""

    @classmethod
    def flags(cls) -> tuple[Flag, ...]:
        """The flags that are shown, in the order of their declaration, those of groups inside."""
        hints = typing.get_type_hints(cls)
        found: list[Flag] = []
        for item in fields(cls):
            if "group" in item.metadata:
                found += _of_group(item)
            elif "help" in item.metadata:
                found.append(_flag(item, hints[item.name]))
        names = [name for one in found
                 for name in (one.name, *(alias.lstrip("-") for alias in one.aliases))]
        assert len({*names}) == len(names), f"{cls.__name__} has a flag twice: {sorted(names)}"
        return tuple(found)

    @classmethod
    def of(cls: type[Command], **values: Any) -> Command:
        """From values by the flags' names; ValueError where a group or the command refuses them."""
        unknown = values.keys() - {one.name for one in cls.flags()}
        if unknown:
            raise TypeError(f"{cls.__name__} has no flag {', '.join(sorted(unknown))}")
        return _build(cls, values)

    @classmethod
    def checked(cls, values: Mapping[str, Any], place: str = "") -> dict[str, Any]:
        """Values by the flags' names, which did not come from a command line; see flag_values."""
        return flag_values.checked(cls.flags(), values, place)

    @classmethod
    def from_python(cls: type[Command], **values: Any) -> Command:
        """`of` for callers whose values nobody has checked; ValueError for what is wrong."""
        given = cls.checked(values)
        for one in cls.flags():
            require(not one.required or one.name in given, f"{one.name} is required: {one.help}")
        return cls.of(**given)

    def flat(self) -> dict[str, Any]:
        """Every flag's value by its name: `of(**flat())` is equal to the options."""
        return {one.name: one.value(self) for one in self.flags()}

    def values(self, **defaults: Any) -> Namespace:
        """Every flag's value as an attribute; defaults: of flags that are None."""
        return Namespace(**self.flat() | {name: value for name, value in defaults.items()
                                          if self.flat()[name] is None})

    def given(self) -> list[str]:
        """The names of the flags whose values are not their defaults."""
        return [one.name for one in self.flags() if one.value(self) != one.default]


def require(condition: bool, message: str) -> None:
    """ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def require_at_least_one(options: Options, *names: str) -> None:
    """ValueError where a flag is below 1; None stands for a default that is known later."""
    for name in names:
        value = getattr(options, name)
        require(value is None or value >= 1, f"--{name} must be at least 1, got {value}")


def require_not_negative(options: Options, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        require(value is None or 0 <= value < math.inf,
                f"--{name} must not be negative or infinite, got {value}")


def require_below_one(options: Options, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        require(0.0 <= value < 1.0, f"--{name} must lie in [0, 1), got {value}")


def not_built(flag_text: str, use: str) -> ValueError:
    """The refusal of a flag whose feature does not exist yet; it is never silently ignored."""
    return ValueError(f"{flag_text} is not built yet; {use}")


def _flag(item: Field, hint: Any) -> Flag:
    kind, many = _type(hint)
    return Flag(item.name, (item.name,), kind, many, item.default, **item.metadata)


def _of_group(item: Field) -> list[Flag]:
    meta = item.metadata
    changed_flags = [meta["changes"].get(one.name, changed()).applied(one)
                     for one in meta["group"].flags()]
    hidden = [one for one in changed_flags if meta["only"] and one.name not in meta["only"]]
    assert not any(one.required for one in hidden), f"{item.name} hides a required flag"
    return [replace(one, path=(item.name, *one.path)) for one in changed_flags if one not in hidden]


def _build(options: type[Command], values: dict[str, Any]) -> Command:
    arguments = {}
    for item in fields(options):
        if "group" in item.metadata:
            own = {one.name for one in item.metadata["group"].flags()}
            given = {name: value for name, value in values.items() if name in own}
            arguments[item.name] = _build(
                item.metadata["group"], item.metadata["defaults"] | given)
        elif item.name in values:
            arguments[item.name] = values[item.name]
    return options(**arguments)


def _type(hint: Any) -> tuple[type, bool]:
    """`int | None` -> (int, False); `list[str] | None` -> (str, True); `bool | str` is a bool
    beside which the choices stand.
    """
    if isinstance(hint, types.UnionType):
        hint = next(arm for arm in typing.get_args(hint) if arm is not types.NoneType)
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0], True
    return hint, False
