"""Which rungs run a piece of code at all: a rung that does not cannot tell a mutant of it.

Recorded once a process while the ladder is climbed without a mutant. It saves most of the work:
where the filters of sampling are wrong, no gradient needs to be computed again.
"""

import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from types import CodeType

from parity import ladder
from parity.compare import Result
from parity.mutants.mutant import Mutant
from parity.mutants.plant import live, load_all


def rungs_of(mutant: Mutant) -> list[str]:
    """In ladder order. All of them for a constant, for compiled code, and where nothing changes."""
    reached, _ = control()
    codes = {_code(live(change.path)) for change in mutant.changes}
    return [rung for rung, ran in reached.items() if not codes or None in codes or codes & ran]


@cache
def control() -> tuple[dict[str, set[CodeType]], list[Result]]:
    """The functions that each rung runs, and what failed: without a mutant, nothing may."""
    load_all()
    reached, failed = {}, []
    climb = ladder.climb()
    while True:
        with _recorded() as ran:
            rung, results = next(climb, (None, []))
        if rung is None:
            return reached, failed
        reached[rung.name] = ran
        failed += [result for result in results if not result.passed]


@contextmanager
def _recorded() -> Iterator[set[CodeType]]:
    """Python functions called inside of the block, in threads that start there too."""
    ran: set[CodeType] = set()

    def note(frame, event, _argument):
        if event == "call":
            ran.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield ran
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _code(definition) -> CodeType | None:
    """None where calls cannot be seen, or are not made each time."""
    if hasattr(definition, "cache_info"):
        return None
    if isinstance(definition, property):
        definition = definition.fget
    elif isinstance(definition, cached_property):
        definition = definition.func
    elif isinstance(definition, classmethod | staticmethod):
        definition = definition.__func__
    return getattr(inspect.unwrap(definition), "__code__", None)
