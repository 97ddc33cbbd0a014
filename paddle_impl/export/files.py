"""export.json: what a reader of an exported model must know, and checksums of all other files."""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

from data_tools.files import checksums

NAME = "export.json"
PROGRAM = "model"  # paddle.jit.save adds the endings
WEIGHTS = f"{PROGRAM}.pdiparams"
PROGRAMS = (f"{PROGRAM}.json", f"{PROGRAM}.pdmodel")  # of Paddle 3, of Paddle 2
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Export:
    """The shape of the cache, the limits of a text, and the version of Paddle that wrote the graph.

    program: the name of the graph's file. vocab_size: ids below it may be fed and chosen; the
    logits may be wider. eos_token_id: all end tokens; one number in older exports. positions: for
    the prompt and the new tokens together.
    """

    paddle: str
    program: str
    vocab_size: int
    eos_token_id: list[int] | int
    positions: int
    layers: int
    heads: int
    head_size: int

    @property
    def end_tokens(self) -> tuple[int, ...]:
        ends = self.eos_token_id
        return (ends,) if isinstance(ends, int) else tuple(ends)


def write(directory: Path, export: Export) -> None:
    """Write export.json, with the checksum of every file that is in the directory: call it last."""
    told = {"format_version": FORMAT_VERSION, **vars(export),
            "files": {path.name: checksums(path) for path in sorted(directory.iterdir())}}
    told["sha256"] = _own_sum(told)
    (directory / NAME).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def read(directory: Path) -> Export:
    """Read export.json and verify all files. ValueError for a folder that is no export, or a file
    that is not as it was written.
    """
    told = _told(directory)
    for name, sums in told["files"].items():
        path = directory / name
        if not path.is_file():
            raise _damaged(directory, f"{name} is missing")
        # The size first: it is known at once, and its message says more.
        if (size := path.stat().st_size) != sums["bytes"]:
            raise _damaged(directory, f"{name} has {size} bytes instead of {sums['bytes']}")
        if checksums(path) != sums:
            raise _damaged(directory, f"the SHA-256 of {name} is not the one in {NAME}")
    return Export(**{field.name: told[field.name] for field in fields(Export)})


def names(directory: Path) -> set[str]:
    """The names of all files of an export. ValueError for a folder that is no export."""
    return {NAME, *_told(directory)["files"]}


def _told(directory: Path) -> dict:
    """The contents of export.json, which must be as they were written."""
    path = directory / NAME
    if not path.is_file():
        raise ValueError(f"{directory} is no exported model: it has no {NAME}; make one with "
                         f"run_generation.py --model_name_or_path CHECKPOINT --export {directory}")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(directory, f"{NAME} is not JSON ({error})") from None
    if not isinstance(told, dict) or told.get("format_version") != FORMAT_VERSION:
        raise _damaged(directory, f"{NAME} is not of format {FORMAT_VERSION}")
    if told.pop("sha256", None) != _own_sum(told):
        raise _damaged(directory, f"{NAME} is not as it was written")
    return told


def _damaged(directory: Path, what: str) -> ValueError:
    return ValueError(f"{directory} is damaged: {what}; copy it again, or export it again")


def _own_sum(told: dict) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
