"""A file's tokens -> windows of them, and which windows or files are for dev.jsonl."""

from __future__ import annotations

import numpy as np


def count(length: int, segment_len: int, stride: int) -> int:
    """How many windows a file of `length` tokens has: enough to hold its last token."""
    return 1 + max(0, -(-(length - segment_len) // stride))


def windows(length: int, segment_len: int, stride: int, least: int) -> list[tuple[int, int]]:
    """(start, stop) of each window: one every `stride` tokens until the file's end is reached.

    Each has segment_len tokens, apart from the last, which ends with the file. Where that would
    have fewer than `least`, it begins earlier; only a file that is shorter has fewer.
    stride: at most segment_len.
    """
    starts = [i * stride for i in range(count(length, segment_len, stride))]
    starts[-1] = min(starts[-1], max(0, length - min(least, segment_len)))
    return [(start, min(start + segment_len, length)) for start in starts]


def dev_files(keys: np.ndarray, share: float) -> np.ndarray:
    """bool [files]: which are for dev, about `share` of the different texts.

    keys: uint64 [files], a draw from each file's text, so that equal texts are on the same side,
    and the order of files makes no difference. Both sides get at least one text; of a single text
    dev gets none.
    """
    different = np.unique(keys)
    return np.isin(keys, different[: _part(len(different), share)])


def dev_windows(total: int, share: float, draws: np.random.Generator) -> np.ndarray:
    """bool [total]: which windows are for dev."""
    chosen = np.zeros(total, dtype=bool)
    chosen[draws.permutation(total)[: _part(total, share)]] = True
    return chosen


def _part(total: int, share: float) -> int:
    return min(max(1, round(share * total)), total - 1)
