"""Cut a sequence that is longer than the model's positions into rows; each target counts once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paddle_impl.config.options import require


@dataclass(frozen=True)
class Row:
    """inputs (n,) and the targets (m,) of the last m positions, 1 <= m <= n; int64."""

    inputs: np.ndarray
    targets: np.ndarray


def windows(length: int, size: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, first) of windows over `length` inputs: inputs start to end, of which the
    targets from first to end are counted.

    Each target is counted once. All but those of the first window have at least size - stride
    tokens of context. The last window reaches the end.
    """
    counted = 0
    while counted < length:
        end = min(length, size if counted == 0 else counted + stride)
        yield max(0, end - size), end, counted
        counted = end


def strided(sequence: np.ndarray, size: int, stride: int) -> list[Row]:
    """Rows of a sequence (n,): the first token is given, each other one is predicted once."""
    sequence = np.asarray(sequence, np.int64)
    return [Row(sequence[start:end], sequence[first + 1 : end + 1])
            for start, end, first in windows(len(sequence) - 1, size, stride)]


def window_of(model, max_seq_len: int | None) -> int:
    """Tokens in a window: --max_seq_len, else the model's positions; ValueError if above these."""
    positions = model.config.n_positions
    window = max_seq_len or positions
    require(window <= positions,
            f"--max_seq_len {window} is beyond the model's {positions} positions")
    return window
