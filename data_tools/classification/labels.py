"""The names of classes, in the order of their numbers, and labels.json, which keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from data_tools.json_fields import list_of, read_object, text

FILE = "labels.json"


def names_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels in order: by their value where all are whole numbers."""
    names = sorted({*labels})
    try:
        return tuple(sorted(names, key=int))
    except ValueError:
        return tuple(names)


def read_names(folder: Path) -> tuple[str, ...] | None:
    """The names in the folder's labels.json, whose tables have numbers; None without the file."""
    path = folder / FILE
    if not path.is_file():
        return None
    names = read_object(path, {"labels": list_of(text())}, ["labels"])["labels"]
    if len({*names}) < len(names) or len(names) < 2:
        raise ValueError(f"{path}: labels must be two or more different texts")
    return tuple(names)


def to_json(names: Iterable[str]) -> bytes:
    """The content of labels.json."""
    return json.dumps({"labels": list(names)}, ensure_ascii=False).encode() + b"\n"
