"""Sinks for curves besides metrics.jsonl: which there are, opening them, surviving their errors."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paddle_impl.config.options import require


class Sink(Protocol):
    """Shows the records of one run. A call either records or raises."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Points of curves, by the curve's name."""

    def completions(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        """Completions of prompts as (prompt, new text)."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Kind:
    """A sink's package, how to install it, and the module here that defines its `open_sink`."""

    package: str
    install: str
    module: str


_KINDS = {
    "visualdl": _Kind("visualdl", "visualdl==2.5.3", "visualdl_sink"),
    "tensorboard": _Kind("tensorboardX", "tensorboardX==2.6.5", "tensorboard_sink"),
    "wandb": _Kind("wandb", "wandb==0.30.0", "wandb_sink"),
}


def check(report_to: str) -> tuple[str, ...]:
    """The names in --report_to, which is a comma list or `none`.

    ValueError for a name that is unknown or given twice, and for a package that is not installed.
    The packages are not imported, which would take seconds in every process.
    """
    if report_to.strip() == "none":
        return ()
    names = tuple(name.strip() for name in report_to.split(","))
    for name in names:
        require(name in _KINDS,
                f"--report_to takes {', '.join(_KINDS)} (comma between them) or none, got {name!r} "
                f"in {report_to!r}")
        kind = _KINDS[name]
        require(_installed(kind.package),
                f"--report_to {name} needs the package {kind.package}: "
                f"pip install {kind.install}")
    require(len(set(names)) == len(names), f"--report_to {report_to} names a sink twice")
    return names


def _installed(package: str) -> bool:
    """Whether the package can be imported. A plain folder of that name, as W&B makes one, has no
    origin.
    """
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def open_sinks(
    names: Iterable[str], output_dir: Path, start_step: int, config: dict,
    warn: Callable[[str], None],
) -> list["Guarded"]:
    """Open the sinks. If one fails, a new run stops with OSError, since its user is probably there;
    a resumed run goes on with a warning.
    """
    sinks = []
    for name in names:
        try:
            module = importlib.import_module(f"paddle_impl.tracking.{_KINDS[name].module}")
            sinks.append(Guarded(name, module.open_sink(output_dir, start_step, config), warn))
        except Exception as error:
            said = " ".join(f"--report_to {name} does not start: {error}".split())
            if not start_step:
                raise OSError(said) from error
            warn(f"{said}; training goes on without it")
    return sinks


class Guarded:
    """A sink whose errors cannot stop the training, such as a full disk or a lost network.

    The first error is a warning. Later calls are tried again.
    """

    def __init__(self, name: str, sink: Any, warn: Callable[[str], None]):
        self._name, self._sink, self._warn = name, sink, warn
        self._missed = 0

    def __call__(self, method: str, *arguments) -> None:
        """Call the sink's method of that name."""
        try:
            getattr(self._sink, method)(*arguments)
        except Exception as error:
            if not self._missed:
                said = " ".join(f"{type(error).__name__}: {error}".split())
                self._warn(f"{self._name} cannot be written ({said}); training goes on, "
                           "each later record is tried again")
            self._missed += 1

    def close(self) -> None:
        """Close the sink, and say how many records it lacks."""
        if self._missed:
            self._warn(f"{self._name} lacks {self._missed} records")
        self("close")
