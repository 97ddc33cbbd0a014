"""The names of checkpoints: model_<step>, with the step as Python writes it, and nothing else."""

import re

_NAME = re.compile(r"model_(0|[1-9][0-9]*)")


def step_of(name: str) -> int | None:
    """The step of a checkpoint with this folder name; None where it is no checkpoint's."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None
