"""The progress bar of an evaluation."""

from collections.abc import Callable, Iterable
from functools import partial

from tqdm import tqdm


def progress_bar(total: int | None = None) -> Callable[[Iterable], Iterable]:
    """Wraps what is iterated over; shown on a terminal only. total: where it cannot be counted."""
    return partial(tqdm, desc="evaluating", leave=False, disable=None, total=total)
