"""How far the ladder reaches into paddle_impl and data_tools, and what holds the rest.

`python -m parity reach` records which functions the rungs run; its last result is in run.json
beside this file. Code in C++ is not seen by the recorder.
"""

import ast
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from parity.coverage.decisions import (
    DECISIONS,
    NEEDS_A_GPU,
    NO_NUMBER,
    RUNG,
    UNIT_TEST,
    Decision,
)

ROOT = Path(__file__).parents[2]
PACKAGES = ("data_tools", "paddle_impl")
RECORD = Path(__file__).with_name("run.json")

Functions = dict[str, dict[int, str]]  # file -> first line of a function -> its name


class Place(NamedTuple):
    """A folder or file with a decision; its functions that a rung runs, and the others."""

    path: str
    decision: Decision
    run: list[str]
    others: list[str]


def functions(root: Path = ROOT) -> Functions:
    """Every function of the product: methods and inner functions too, with their owners' names."""
    return {
        path.relative_to(root).as_posix(): dict(_functions(
            ast.parse(path.read_text(encoding="utf-8")), ""))
        for package in PACKAGES for path in sorted((root / package).rglob("*.py"))
    }


def named(places: set[tuple[str, int]]) -> dict[str, list[str]]:
    """file -> names of the functions that begin at these places, which are (file, first line)."""
    found = {
        path: sorted({name for line, name in own.items() if (str(ROOT / path), line) in places})
        for path, own in functions().items()
    }
    return {path: names for path, names in found.items() if names}


def recorded() -> dict[str, list[str]]:
    """file -> names of the functions that a rung runs, as `python -m parity reach --write` saw."""
    return json.loads(RECORD.read_text(encoding="utf-8"))["run"]


def decided(path: str) -> str | None:
    """The place whose decision counts for the file; None where there is none."""
    parts = path.split("/")
    places = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((place for place in places if place in DECISIONS), None)


def places(run: dict[str, list[str]]) -> list[Place]:
    """Every place with a decision, in the order of names. run: file -> functions that are run."""
    found = {place: Place(place, decision, [], []) for place, decision in sorted(DECISIONS.items())}
    for path, own in functions().items():
        place = found[decided(path)]
        for name in own.values():
            seen = name in run.get(path, ())
            (place.run if seen else place.others).append(f"{path}: {name}")
    return list(found.values())


def summary(run: dict[str, list[str]]) -> str:
    all_places = places(run)
    seen = sum(len(place.run) for place in all_places)
    count = seen + sum(len(place.others) for place in all_places)
    kinds = Counter(place.decision.kind for place in all_places)
    return (f"{seen:,} of the {count:,} Python functions of {' and '.join(PACKAGES)} are run by a "
            f"rung. Of {len(all_places)} rooms and files {kinds[RUNG]} have a rung, "
            f"{kinds[UNIT_TEST]} a unit test that is a proof, and {kinds[NO_NUMBER]} compute no "
            "number")


def lines(run: dict[str, list[str]]) -> list[str]:
    """For the reports: what the ladder does not compare."""
    rest = [f"{place.path}: {place.decision}" for place in places(run) if place.decision.told]
    return [f"{summary(run)}: python -m parity reach names them", *rest, NEEDS_A_GPU]


def proofs() -> Iterator[str]:
    """The paths of the unit tests that are proofs."""
    for decision in DECISIONS.values():
        if decision.kind == UNIT_TEST:
            yield decision.told


def _functions(node: ast.AST, owner: str) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        inner = owner
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{owner}{child.name}."
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield min([child.lineno, *(d.lineno for d in child.decorator_list)]), inner[:-1]
        yield from _functions(child, inner)
