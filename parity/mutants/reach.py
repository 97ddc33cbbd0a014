"""Which rungs run a piece of code at all: a rung that does not cannot tell a mutant of it.

Recorded once a process while the ladder is climbed without a mutant. It saves most of the work:
where the filters of sampling are wrong, no gradient needs to be computed again.
"""

import inspect
import sys
import threading
from collections.abc import Callable
from functools import cache, cached_property, partial
from types import CodeType
from unittest.mock import patch

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
    reached, failed, ran = {}, [], set()
    function, seen = ladder.function, set()

    def watched(side: str, path: str) -> Callable:
        found = function(side, path)
        if side == "torch_side" or path in seen:  # dtype and fixture choose no other functions
            return found
        seen.add(path)
        return partial(_recorded, ran, found)

    with patch.object(ladder, "function", watched):
        for rung, results in ladder.climb():
            reached[rung.name] = set(ran)
            ran.clear()
            seen.clear()
            failed += [result for result in results if not result.passed]
    return reached, failed


def _recorded(ran: set[CodeType], function: Callable, *arguments):
    """Python functions called meanwhile, in threads that start meanwhile too."""

    def note(frame, event, _argument):
        if event == "call":
            ran.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        return function(*arguments)
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
