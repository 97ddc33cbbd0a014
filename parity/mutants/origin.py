"""From which code a record of the kill table was obtained, and whether it is that of today.

A record has a digest of what its verdict stands on:
  - the mutant's pieces of code and their replacements
  - the files that they lie in
  - of each rung that failed: the functions of both sides, all of `parity` that these name, such as
    fixtures, how their traces are compared, and the tolerance of the tensor that failed
Layout, comments and docstrings do not count, nor do other files: the trainer may change without the
records of the sampling filters. A record is stale where its digest is not that of the files as they
are, and so is one that is missing, or whose mutant is gone.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from parity import ladder, tolerances
from parity.mutants.definitions import Sources, sha256
from parity.mutants.mutant import Mutant
from parity.mutants.tables import MUTANTS

HERE = Sources(Path(__file__).resolve().parents[2])
COMMAND = "python -m parity mutants --stale --write-table"
# What every rung runs: the fixtures and the comparison.
_SHARED = ("parity.cases.case", "parity.ladder._stand")
# Tables of all tolerances; the one that counts is added by itself.
_TOLERANCES = ("parity.tolerances.row", "parity.tolerances.checkpoint.rows_of")


class Stale(NamedTuple):
    name: str
    room: str
    why: str


def digest(mutant: Mutant, record: dict, sources: Sources = HERE) -> str:
    """LookupError where a change's path leads to no code."""
    files = [sources.file(change.path) for change in mutant.changes]
    helpers = {f"{module}.{name}" for change in mutant.changes for module, name in
               re.findall(r"from (parity[\w.]*) import (\w+)", change.replacement)}
    seen = [_comparison(found, sources) for found in failures(record)]
    told = ([tuple(change) for change in mutant.changes], files,
            [sources.file(helper) for helper in sorted(helpers)], seen)
    return sha256(told)[:16]


def failures(record: dict) -> list[dict]:
    """What failed, at the exact gates and at gate B."""
    return [found for gates in ("killed", "float32") for found in (record[gates] or {}).values()
            if found]


def stale(table: dict, sources: Sources = HERE) -> list[Stale]:
    """The records that are not of the code in these files, in the order of the mutants."""
    return list(_stale({record["name"]: record for record in table["mutants"]}, sources))


def _stale(records: dict[str, dict], sources: Sources) -> Iterator[Stale]:
    for mutant in MUTANTS:
        record = records.pop(mutant.name, None)
        if record is None:
            yield Stale(mutant.name, mutant.room, "never climbed")
            continue
        try:
            current = record.get("code") == digest(mutant, record, sources)
        except LookupError:
            current = False
        if not current:
            yield Stale(mutant.name, mutant.room, f"climbed on other code ({record['where']})")
    for record in records.values():
        yield Stale(record["name"], record["room"], "no mutant has this name")


def _comparison(found: dict, sources: Sources) -> str:
    """Digest of the comparison that failed; LookupError where its rung is gone."""
    rungs = [rung for rung in ladder.RUNGS if rung.name == found["rung"]]
    if not rungs:
        raise LookupError(f"there is no rung {found['rung']}")
    rung, (_, _, phase, *_) = rungs[0], re.split(r": step |, ", found["first"])
    functions = [name for name in (rung.function, rung.handover) if name]
    starts = (*_SHARED, *(f"parity.{side}.{name}" for name in functions
                          for side in ("torch_side", "paddle_side")))
    golden = [(tuple(point), value.tolist()) for point, value in rung.golden.items()]
    return sha256((functions, rung.gates, golden, _tolerance(found["gate"], phase),
                   sources.reached(starts, "parity", but=_TOLERANCES)))


def _tolerance(gate: str, phase: str) -> str:
    """Empty for an exception, which breaks no tolerance."""
    try:
        return repr(replace(tolerances.row(gate, phase), reason=""))
    except KeyError:
        return ""
