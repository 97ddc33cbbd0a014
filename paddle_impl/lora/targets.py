"""Which layers an adapter is for, by their names: peft's rules."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from paddle_impl.config.lora import ALL_LINEAR

Names = str | tuple[str, ...]


def matched(
    names: Iterable[str], linear: Collection[str], targets: Names, exclude: Names = (),
    saved: tuple[str, ...] = (), layers: tuple[int, ...] | None = None,
    layers_pattern: tuple[str, ...] = (),
) -> list[str]:
    """Those of `names` that the targets mean, in their order.

    targets: an expression for the whole name, or ends of names. exclude: the same of layers that
    are left out; saved: layers that are trained whole, which get no adapter. layers: only in these
    blocks; layers_pattern: what stands before the number of a block, anything if empty. linear: the
    names that may have an adapter. ValueError where targets mean another layer, or none.
    """
    if isinstance(targets, str) and targets.lower() == ALL_LINEAR:
        found = [name for name in names if name in linear]
    else:
        found = [name for name in names if _means(targets, name)]
    found = [name for name in found if not (exclude and _means(exclude, name))
             and not any(re.match(rf"(^|.*\.){one}($|\..*)", name) for one in saved)]
    if layers and not isinstance(targets, str):
        found = [name for name in found if _block(name, layers_pattern) in layers]
    for name in found:
        if name not in linear:
            raise ValueError(f"LoRA is for linear layers, and {_told(targets)} means {name} too: "
                             f"name the linear layers, such as {_some(linear)}")
    if not found:
        raise ValueError(f"{_told(targets)} means no layer of the model"
                         f"{' in blocks ' + _told(tuple(map(str, layers))) if layers else ''}; its "
                         f"linear layers are {_some(linear)}")
    return found


def looked_up(patterns: Mapping[str, Any], name: str, default: Any) -> Any:
    """The value of the first pattern that means the layer; an expression for the name's end."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return value
    return default


def check_expressions(expressions: Iterable[str]) -> None:
    """ValueError for one that is no regular expression."""
    for expression in expressions:
        try:
            re.compile(expression)
        except re.error as error:
            raise ValueError(f"{expression!r} is no regular expression: {error}") from None


def grouped(names: Iterable[str]) -> str:
    """The names in short: `attn.c_attn in blocks 0-11, ...`."""
    blocks: dict[str, list[int]] = {}
    for name in names:
        if match := re.fullmatch(r"transformer\.h\.(\d+)\.(.*)", name):
            blocks.setdefault(match[2], []).append(int(match[1]))
        else:
            blocks[name] = []
    return ", ".join(f"{name} in block{'s' * (len(numbers) > 1)} {_ranges(numbers)}"
                     if numbers else name for name, numbers in blocks.items())


def _means(names: Names, name: str) -> bool:
    if isinstance(names, str):
        return re.fullmatch(names, name) is not None
    return any(name == one or name.endswith(f".{one}") for one in names)


def _block(name: str, patterns: tuple[str, ...]) -> int | None:
    """The number of the block that the layer is in."""
    tried = [rf"(?:^|.*?\.){pattern}\.(\d+)\." for pattern in patterns] or [r".*?\.[^.]*\.(\d+)\."]
    for expression in tried:
        if match := re.match(expression, name):
            return int(match[1])
    return None


def _ranges(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _told(names: Names) -> str:
    return names if isinstance(names, str) else " ".join(names)


def _some(linear: Collection[str]) -> str:
    ends = dict.fromkeys(".".join(name.split(".")[3:]) or name for name in linear)
    return ", ".join(ends)
