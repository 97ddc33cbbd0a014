"""One mutant after another in worker processes, each climbing the ladder until a rung breaks."""

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

EXACT, FLOAT32 = "DZA", "B"  # gates that must see a bug, and the gate that is asked beside them


def examine_all(mutants: Sequence[Mutant], jobs: int) -> Iterator[dict]:
    """A record of the kill table for each mutant, as they are done.

    RuntimeError where the ladder breaks without a mutant, or where one cannot be planted.
    """
    numbers = [MUTANTS.index(mutant) for mutant in mutants]
    with workers.pool(min(jobs, len(numbers))) as pool:
        waiting = {pool.submit(_examine, number): number for number in numbers}
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BrokenProcessPool:
            # Work is handed out in order: those that it died on are the first without a record.
            lost = [MUTANTS[number].name for one, number in waiting.items() if one.exception()]
            raise RuntimeError(
                f"a process died, of a crash or for want of memory, on one of: {lost[:jobs]}"
            ) from None


def examine(mutant: Mutant) -> dict:
    """What the ladder says of the mutant: at each fixture the first rung that breaks, or None."""
    rungs = reach.rungs_of(mutant)
    with planted(mutant):
        exact, float32 = (
            {name: first_failure(rungs, name, gates) for name in cases.CASES}
            for gates in (EXACT, FLOAT32)
        )
    return {
        "name": mutant.name, "room": mutant.room, "where": mutant.where,
        "equivalent": mutant.equivalent, "killed": exact, "float32": float32,
    }


def first_failure(rungs: Sequence[str], case: str, gates: str) -> dict | None:
    """The first rung that breaks, the gate, and the first divergence; later rungs are not run."""
    for rung, results in ladder.climb(rungs, [cases.case(case)], gates):
        if failed := first_divergence(results)[0]:
            return {"rung": rung.name, "gate": failed.place.gate, "first": failed.where()}
    return None


def _examine(number: int) -> dict:
    import_paddle("cpu")
    if failed := reach.control()[1]:
        raise RuntimeError(f"without any mutant the ladder breaks: {failed[0].describe()}")
    return examine(MUTANTS[number])
