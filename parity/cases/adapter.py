"""A user's adapter on a user's checkpoint as a case: `--checkpoint BASE --adapter DIR`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paddle_impl.config.model import ModelConfig
from parity.cases import Case, checkpoint

Open = Callable[[Path, Path], tuple[ModelConfig, Mapping[str, np.ndarray]]]


@dataclass(frozen=True)
class AdaptedCase(Case):
    """config, weights: those of the merged model. directory: the base's. adapter: a directory."""

    adapter: str = ""


def from_adapter(
    base: Path, adapter: Path, data: str | None, open_merged: Open
) -> tuple[AdaptedCase, str]:
    """(case, description for the reports); ValueError where one of them cannot be used.

    open_merged: opens both as the Paddle side does; for the rest see checkpoint.from_checkpoint.
    """
    case, subject = checkpoint.from_checkpoint(base, data, lambda base: open_merged(base, adapter))
    name = f"adapter {adapter.resolve().name}"
    adapted = AdaptedCase(**vars(case) | {"name": name, "adapter": str(adapter)})
    return adapted, f"{name} on {subject}"
