"""The progress bar of an evaluation."""

from collections.abc import Callable, Iterable
from functools import partial

from tqdm import tqdm


def progress_bar(total: int | None = None) -> Callable[[Iterable], Iterable]:
    """A function that wraps an iterable with a bar, which only a terminal shows.

    total: the number of items, for iterables without a length.
    """
    return partial(tqdm, desc="evaluating", leave=False, disable=None, total=total)
