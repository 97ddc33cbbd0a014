"""Settings of a grid that are known before the first run: all, or a seeded sample."""

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

from sweeping.grid import Grid, Range

MOST = 1_000_000


def grid_points(grid: Grid, total: int | None, seed: int) -> list[dict[str, Any]]:
    """The settings of every point, the last parameter varying fastest; or `total` distinct ones.

    The first points of a larger sample of the same seed are those of a smaller one. ValueError for
    a range, which has no points, and for more than a million points.
    """
    for name, values in grid.parameters.items():
        if isinstance(values, Range):
            raise ValueError(f"{name} is a range: give a list of values, or --sampler random or "
                             "tpe with --total N")
    count = math.prod(map(len, grid.parameters.values()))
    if min(count, total or count) > MOST:
        raise ValueError(f"{count:,} runs are more than {MOST:,}: take a sample with --total N")
    if total is None or total >= count:
        every = itertools.product(*grid.parameters.values())
        return [grid.settings(dict(zip(grid.parameters, values, strict=True))) for values in every]
    draw = random.Random(seed)
    chosen: dict[int, None] = {}
    while len(chosen) < total:
        chosen[draw.randrange(count)] = None
    return [grid.settings(_point(grid, index)) for index in chosen]


def random_points(grid: Grid, total: int, seed: int) -> list[dict[str, Any]]:
    """`total` distinct settings, or all if there are fewer; a range is drawn from evenly."""
    if not any(isinstance(values, Range) for values in grid.parameters.values()):
        return grid_points(grid, total, seed)
    if total > MOST:
        raise ValueError(f"--total {total:,} is more than {MOST:,}")
    chosen: dict[str, dict[str, Any]] = {}
    for values in itertools.islice(_draws(grid, seed), 100 * total):
        settings = grid.settings(values)
        chosen.setdefault(grid.command.hash_of(settings), settings)
        if len(chosen) == total:
            break
    return [*chosen.values()]


def _point(grid: Grid, index: int) -> dict[str, Any]:
    found = {}
    for name, values in reversed(grid.parameters.items()):
        index, place = divmod(index, len(values))
        found[name] = values[place]
    return found


def _draws(grid: Grid, seed: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(seed)
    while True:
        yield {name: values.at(draw.random()) if isinstance(values, Range)
               else values[draw.randrange(len(values))]
               for name, values in grid.parameters.items()}
