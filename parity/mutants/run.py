"""Examines mutants in worker processes: each runs the ladder until a rung fails."""

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool

from paddle_impl.process.runtime import import_paddle
from parity import cases, ladder, workers
from parity.compare import first_divergence
from parity.mutants import reach
from parity.mutants.mutant import Mutant
from parity.mutants.plant import planted
from parity.mutants.tables import MUTANTS

EXACT, FLOAT32 = "DZA", "B"  # one of the exact gates must kill a bug; gate B is recorded as well


def examine_all(mutants: Sequence[Mutant], jobs: int) -> Iterator[dict]:
    """A record of the kill table for each mutant, in the order in which they are done.

    RuntimeError where a rung fails without a mutant, or where a process dies.
    """
    numbers = [MUTANTS.index(mutant) for mutant in mutants]
    with workers.pool(min(jobs, len(numbers))) as pool:
        waiting = {pool.submit(_examine, number): number for number in numbers}
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BrokenProcessPool:
            # Mutants are handed out in order, so the first without a record were being examined.
            lost = [MUTANTS[number].name for one, number in waiting.items() if one.exception()]
            raise RuntimeError(
                f"a process crashed or ran out of memory on one of these mutants: {lost[:jobs]}"
            ) from None


def examine(mutant: Mutant) -> dict:
    """The mutant's record: the first rung that fails at each fixture, or None.

    `float32` is None where no rung that runs the code has a gate B: it was not asked.
    """
    rungs = reach.rungs_of(mutant)
    asked = any(FLOAT32 in rung.gates for rung in ladder.RUNGS if rung.name in rungs)
    with planted(mutant):
        exact, float32 = (
            {name: first_failure(rungs, name, gates) for name in cases.CASES}
            for gates in (EXACT, FLOAT32)
        )
    return {
        "name": mutant.name, "room": mutant.room, "where": mutant.where,
        "equivalent": mutant.equivalent, "killed": exact, "float32": float32 if asked else None,
    }


def first_failure(rungs: Sequence[str], case: str, gates: str) -> dict | None:
    """The first rung that fails, its gate and first divergence, or None; no later rung is run."""
    for rung, results in ladder.climb(rungs, [cases.case(case)], gates):
        if failed := first_divergence(results)[0]:
            return {"rung": rung.name, "gate": failed.place.gate, "first": failed.where()}
    return None


def _examine(number: int) -> dict:
    import_paddle("cpu")
    if failed := reach.control()[1]:
        raise RuntimeError(f"a rung fails without any mutant: {failed[0].describe()}")
    return examine(MUTANTS[number])
