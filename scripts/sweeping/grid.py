"""What a sweep is asked for: a JSON file with a command, its fixed flags, and parameters.

    {"command": "run_pretrain.py",
     "flags": {"model_name_or_path": "code-mini", "input_dir": "data_tools", "max_steps": 100},
     "parameters": {"max_lr": [0.001, 0.004], "weight_decay": {"low": 0.001, "high": 0.1,
                    "log": true}},
     "score": "valid_loss", "greater_is_better": false}

A parameter is a list of values, or a range for --sampler random and tpe. `one+two` is a parameter
that gives two flags the same value.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from data_tools.json_fields import OBJECT, TRUTH, check, number, read_object, shown, text
from sweeping.command import Command

PRESETS = Path(__file__).parent / "presets"
_FIELDS = {"command": text(), "flags": OBJECT, "parameters": OBJECT, "score": text(),
           "greater_is_better": TRUTH}
_RANGE = {"low": number(), "high": number(), "log": TRUTH}


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included. log: drawn evenly on a logarithmic scale."""

    low: float
    high: float
    log: bool
    whole: bool

    def at(self, share: float) -> float:
        """The number at a share in [0, 1) of the range, to six digits."""
        low, high = (self.low, self.high + 1) if self.whole else (self.low, self.high)
        value = low * (high / low) ** share if self.log else low + (high - low) * share
        if self.whole:
            return min(int(value), int(self.high))
        return min(max(float(f"{value:.6g}"), self.low), self.high)


@dataclass(frozen=True)
class Grid:
    """The flags of every run, and parameter -> values that differ. score: a name in metrics.jsonl.
    """

    command: Command
    flags: dict[str, Any]
    parameters: dict[str, tuple | Range]
    score: str = "valid_loss"
    greater_is_better: bool = False

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The flags of the run in which the parameters have these values."""
        return self.flags | {flag: value for name, value in values.items()
                             for flag in name.split("+")}


def preset(name: str) -> Path:
    """The file of a preset; ValueError, which lists them, where there is none of this name."""
    known = sorted(path.stem for path in PRESETS.glob("*.json"))
    if name not in known:
        raise ValueError(f"--preset {name} is none of {', '.join(known)}")
    return PRESETS / f"{name}.json"


def read_grid(path: Path, fixed: Sequence[str] = (), without: Sequence[str] = ()) -> Grid:
    """The checked grid in the file.

    fixed: NAME=VALUE of flags, which win over the file: a parameter becomes this one value.
    without: parameters to leave out. ValueError for an unknown key or flag, with the nearest one,
    for a value that the flag does not take, and for a parameter without values.
    """
    found = read_object(path, _FIELDS, required=("command", "parameters"))
    for key in found:
        _known(f"{path} has", key, _FIELDS)
    named = [word.removeprefix("task=") for word in fixed if word.startswith("task=")]
    command = Command(found["command"], *named[-1:] or [found.get("flags", {}).get("task")])
    parameters = {_own_names(command, name): values for name, values in found["parameters"].items()}
    for name in (_own_names(command, name) for name in without):
        _known("--without:", name, parameters)
        del parameters[name]
    told = {}
    for word in fixed:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set {word}: expected NAME=VALUE")
        name = command.name_of(name)
        told[name] = command.read(name, value)
    parameters = _without_flags(parameters, told)
    flags = {command.name_of(name): value for name, value in found.get("flags", {}).items()} | told
    names = [flag for name in parameters for flag in name.split("+")]
    for name in names:
        if name in flags or names.count(name) > 1:
            raise ValueError(f"{path}: {name} is there twice, among flags and parameters")
    command.check_names([*flags, *names], f"{path}: ")
    if not parameters:
        raise ValueError(f"{path}: no parameter is left to vary")
    return Grid(command, command.checked(flags, f"{path}: "),
                {name: _values(command, name, values, f"{path}: {name}")
                 for name, values in parameters.items()},
                found.get("score", "valid_loss"), found.get("greater_is_better", False))


def _own_names(command: Command, parameter: str) -> str:
    return "+".join(map(command.name_of, parameter.split("+")))


def _known(place: str, name: str, known) -> None:
    if name not in known:
        (nearest,) = get_close_matches(name, known, n=1, cutoff=0.0) or ["none"]
        raise ValueError(f"{place} no {name}; the nearest one is {nearest}")


def _without_flags(parameters: dict, told: dict) -> dict:
    """The parameters without the flags that are told."""
    left = {}
    for name, values in parameters.items():
        flags = [flag for flag in name.split("+") if flag not in told]
        if flags:
            left["+".join(flags)] = values
    return left


def _values(command: Command, name: str, values: Any, place: str) -> tuple | Range:
    """The checked values of a parameter, as its flags take them."""
    flags = name.split("+")
    if isinstance(values, dict):
        return _range(command.flags[flags[0]].type, values, place)
    if not isinstance(values, list) or not values:
        raise ValueError(f"{place} is {shown(values)}, expected a list of values, or a range such "
                         'as {"low": 0.1, "high": 1}')
    found = [[command.checked({flag: value}, f"{place}: ")[flag] for flag in flags][0]
             for value in values]
    keys = [json.dumps(value) for value in found]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"{place} has the value {key} twice")
    return tuple(found)


def _range(kind: type, values: dict, place: str) -> Range:
    for key in values:
        _known(f"{place} has", key, _RANGE)
    check(values, _RANGE, required=("low", "high"), inside=place)
    low, high, log = values["low"], values["high"], values.get("log", False)
    whole = kind is int
    if kind not in (int, float) or whole and (type(low), type(high)) != (int, int):
        raise ValueError(f"{place} is a range, expected a list of values"
                         if kind not in (int, float) else f"{place} takes whole numbers")
    if low >= high or log and low <= 0:
        raise ValueError(f"{place}: low {low} must be below high {high}"
                         + (", and positive with log" if log else ""))
    return Range(kind(low), kind(high), log, whole)
