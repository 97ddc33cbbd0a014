"""Which rungs run a piece of code. Only these can find a mutant of it, and only these are run.

Each process records this once, while it climbs the ladder without a mutant. It saves most of the
work: for a mutant of the sampling filters no gradients are computed.
"""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, partial
from types import CodeType, ModuleType
from unittest.mock import patch

from parity import ladder
from parity.cases import Case
from parity.compare import Result
from parity.mutants import cpp
from parity.mutants.mutant import Mutant
from parity.mutants.plant import live, load_all


def rungs_of(mutant: Mutant) -> list[str]:
    """Names of the rungs that run the mutant's code, in the ladder's order.

    For compiled code these are the rungs that run a function of a Python file that uses it. All
    rungs for a constant, and for a mutant without changes.
    """
    reached, _ = control()
    changed = [live(change.path) for change in mutant.changes]
    return [rung for rung, ran in reached.items()
            if not changed or any(_may_run(one, ran) for one in changed)]


@cache
def control() -> tuple[dict[str, set[CodeType]], list[Result]]:
    """(functions that each rung runs, failed results), without a mutant. No result should fail."""
    load_all()
    reached, failed = {}, []
    for rung, ran, results in recorded():
        reached[rung] = ran
        failed += [result for result in results if not result.passed]
    return reached, failed


def recorded(
    names: Sequence[str] | None = None, on: Sequence[Case] | None = None
) -> Iterator[tuple[str, set[CodeType], list[Result]]]:
    """(rung, functions that its Paddle side runs, results) of each rung, as `ladder.climb` runs it.
    """
    ran, seen = set(), set()
    function = ladder.function

    def watched(side: str, path: str) -> Callable:
        found = function(side, path)
        return found if side == "torch_side" else partial(_watched, ran, seen, path, found)

    with patch.object(ladder, "function", watched):
        for rung, results in ladder.climb(names, on):
            yield rung.name, set(ran), results
            ran.clear()
            seen.clear()


def _watched(
    ran: set[CodeType], seen: set, path: str, function: Callable, case: Case, dtype: str
):
    """Call the function, and add every Python function that runs meanwhile, in all threads.

    Only the first call with each dtype is watched: other fixtures run the same functions.
    """
    if (path, dtype) in seen:
        return function(case, dtype)
    seen.add((path, dtype))

    def note(frame, event, _argument):
        if event == "call":
            ran.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        return function(case, dtype)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _may_run(definition, ran: set[CodeType]) -> bool:
    """Whether a rung that runs these functions can run the definition."""
    if isinstance(definition, ModuleType):
        files = _users(definition)
        return any(code.co_filename in files for code in ran)
    code = _code(definition)
    return code is None or code in ran


@cache
def _users(compiled: ModuleType) -> set[str]:
    """Files of the Python modules that hold a compiled module, a function or class of it, or a
    module that does.
    """
    named = [module for module in sys.modules.values() if getattr(module, "__file__", None)]
    held = [compiled, *cpp.definitions(compiled).values()]
    direct = [module for module in named if _holds(module, held)]
    return {module.__file__ for module in named if module in direct or _holds(module, direct)}


def _holds(module: ModuleType, values: Sequence) -> bool:
    sought = {id(value) for value in values}
    return any(id(value) in sought for value in vars(module).values())


def _code(definition) -> CodeType | None:
    """The code object of a function; None where its calls are not visible, or are cached."""
    if hasattr(definition, "cache_info"):
        return None
    if isinstance(definition, property):
        definition = definition.fget
    elif isinstance(definition, cached_property):
        definition = definition.func
    elif isinstance(definition, classmethod | staticmethod):
        definition = definition.__func__
    return getattr(inspect.unwrap(definition), "__code__", None)
