"""One picture of a sweep: the last loss and the best score against each parameter."""

import json
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from paddle_impl.tracking.curves import new_figure, save_figure
from sweeping.folder import FAILED, Folder

_WIDE = 20  # the greatest value over the least one from which an axis is logarithmic


def draw(path: Path, folder: Folder, parameters: Sequence[str], score: str,
         greater_is_better: bool) -> None:
    """Each run is a dot, the best one a star; runs that failed are crosses below.

    parameters: as in a grid; one that sets two flags is drawn by the first.
    """
    figure = new_figure(max(4.0, 3.1 * len(parameters)), 6)
    grid = figure.subplots(2, len(parameters), squeeze=False, sharey="row")
    ranked = folder.ranked(score, greater_is_better)
    for column, parameter in enumerate(parameters):
        flag = parameter.split("+")[0]
        there = [name for name in ranked if flag in folder.settings[name]]
        places, ticks = _places([folder.settings[name][flag] for name in there])
        numbers = {
            "last loss": [folder.results[name].last("loss")
                          if folder.results[name].status != FAILED else None for name in there],
            f"best {score}": [folder.results[name].score(score, greater_is_better)
                              for name in there]}
        for axes, (title, values) in zip(grid[:, column], numbers.items(), strict=True):
            _draw(axes, places, ticks, values)
            axes.set_xlabel(parameter)
            if column == 0:
                axes.set_ylabel(title)
    failed = sum(one.status == FAILED for one in folder.results.values())
    figure.suptitle(f"{len(ranked)} runs" + (f", {failed} failed (crosses)" if failed else ""))
    save_figure(figure, path)


def _draw(axes, places: list[float], ticks: list[str] | None, values: list[float | None]) -> None:
    """values: of the runs, the best run first; None of a run that has none."""
    dots = [(place, value) for place, value in zip(places, values, strict=True)
            if value is not None]
    missing = [place for place, value in zip(places, values, strict=True) if value is None]
    if dots:
        axes.scatter(*zip(*dots, strict=True), s=18, color="#2563eb", alpha=0.6)
        axes.scatter(*dots[0], s=130, marker="*", color="#ea580c", zorder=3)
    # At the bottom of the panel, whatever its values are.
    axes.scatter(missing, [0.03] * len(missing), marker="x", color="#dc2626",
                 transform=axes.get_xaxis_transform())
    if ticks is not None:
        axes.set_xticks(range(len(ticks)), ticks, rotation=20)
    elif _is_wide(places):
        axes.set_xscale("log")
    if _is_wide([value for _, value in dots]):
        axes.set_yscale("log")
    axes.margins(x=0.1)


def _is_wide(values: list[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) >= _WIDE * min(values)


def _places(values: list[Any]) -> tuple[list[float], list[str] | None]:
    """Where the values stand on an axis, and its labels if they are not numbers."""
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return [float(value) for value in values], None
    words = [value if isinstance(value, str) else json.dumps(value) for value in values]
    ticks = sorted(set(words))
    return [float(ticks.index(word)) for word in words], ticks
