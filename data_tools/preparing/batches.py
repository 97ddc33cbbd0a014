"""Documents -> batches of texts -> flat arrays of ids, the next batch read while one is encoded."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from data_tools.reading.corpus import CorpusReport, Document

BATCH_CHARS = 4_000_000  # enough for all cores at work; encoded, some 30 MB
SLOW_BATCH_CHARS = 250_000  # half a second for a tokenizer in Python: a run can be stopped there
SELF_CHECK_CHARS = 100_000


@dataclass
class Batch:
    """Texts that are encoded together, and what was counted and left out while they were read."""

    texts: list[str]
    names: list[str]
    # The last text's position, as in corpus.Document. None where texts behind it were read and left
    # out: a run that continued there would count those twice.
    position: tuple[int, int] | None
    report: dict  # CorpusReport.to_json()
    skipped: list[tuple[str, str]]  # (name, reason) since the batch before
    learnt: list[bytes]  # by each filter that remembers, since the batch before

    def skipped_log(self) -> bytes:
        """The lines of skipped.jsonl."""
        lines = "".join(json.dumps({"name": name, "reason": reason}, ensure_ascii=False) + "\n"
                        for name, reason in self.skipped)
        # A file's name need not be UTF-8: Python then holds lone surrogates.
        return lines.encode("utf-8", "backslashreplace")


class Encoded(NamedTuple):
    """Ids of one batch: ids uint32 [tokens], offsets int64 [texts + 1], seconds it took."""

    batch: Batch
    ids: np.ndarray
    offsets: np.ndarray
    seconds: float


def batched(
    documents: Iterable[Document], report: CorpusReport, memories: Sequence = (),
    size: int | None = None,
) -> Iterator[Batch]:
    """Cut into batches of about `size` (BATCH_CHARS) characters; the last may be empty.

    The last one also holds what was skipped behind the last document. memories: the filters that
    learn from the documents they keep.
    """
    texts: list[str] = []
    names: list[str] = []
    characters = 0

    def batch(position: tuple[int, int] | None) -> Batch:
        return Batch(texts, names, position, report.to_json(), report.drain(),
                     [memory.learnt() for memory in memories])

    for document in documents:
        texts.append(document.text)
        names.append(document.name)
        characters += len(document.text)
        if characters >= (size or BATCH_CHARS):
            yield batch(document.position)
            texts, names, characters = [], [], 0
    yield batch(None)


def encoded(batches: Iterable[Batch], tokenizer, workers: int) -> Iterator[Encoded]:
    """Ids of each batch, in order, while later batches are read and encoded.

    A tokenizer that releases Python's lock uses its own threads, and one thread calls it. A
    tokenizer that holds the lock runs in `workers` processes.
    """
    in_processes = tokenizer.holds_gil and workers > 1
    with _processes(tokenizer, workers) if in_processes else ThreadPoolExecutor(1) as pool:
        try:
            yield from _in_order(batches, tokenizer, pool, workers if in_processes else 1)
        except BrokenProcessPool:
            raise OSError("a process that tokenizes was killed, for want of memory perhaps: give "
                          "fewer --workers; the same command continues") from None
        finally:
            pool.shutdown(cancel_futures=True)


def first_texts(texts: list[str]) -> list[str]:
    """The first documents of a run, few enough that checking the encoder on them takes a moment."""
    taken, characters = [], 0
    for text in texts:
        characters += len(text)
        if taken and characters > SELF_CHECK_CHARS:
            break
        taken.append(text[:SELF_CHECK_CHARS])
    return taken


def with_end(ids: np.ndarray, offsets: np.ndarray, eos: int) -> tuple[np.ndarray, np.ndarray]:
    """The same documents, each with `eos` behind it."""
    ended = np.empty(len(ids) + len(offsets) - 1, dtype=ids.dtype)
    # Document by document: np.insert looks at each token, and takes ten times as long.
    for i, (start, stop) in enumerate(itertools.pairwise(offsets.tolist())):
        ended[start + i : stop + i] = ids[start:stop]
        ended[stop + i] = eos
    return ended, offsets + np.arange(len(offsets))


def without(
    ids: np.ndarray, offsets: np.ndarray, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The documents i for which keep[i] (bool [documents])."""
    lens = np.diff(offsets)
    kept = np.zeros(int(keep.sum()) + 1, dtype=np.int64)
    np.cumsum(lens[keep], out=kept[1:])
    return ids[np.repeat(keep, lens)], kept


def _in_order(
    batches: Iterable[Batch], tokenizer, pool: Executor, ahead: int
) -> Iterator[Encoded]:
    waiting: deque = deque()
    encode = _encode_here if isinstance(pool, ProcessPoolExecutor) else _Encode(tokenizer)
    for batch in batches:
        waiting.append((batch, pool.submit(encode, batch.texts)))
        if len(waiting) > ahead:
            first, future = waiting.popleft()
            yield Encoded(first, *future.result())
    for batch, future in waiting:
        yield Encoded(batch, *future.result())


class _Encode:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray, float]:
        started = time.perf_counter()
        ids, offsets = self.tokenizer.encode_flat(texts)
        return ids, offsets, time.perf_counter() - started


def _processes(tokenizer, workers: int) -> ProcessPoolExecutor:
    # spawn: this process has threads, which a fork would copy in the middle of their work.
    return ProcessPoolExecutor(workers, get_context("spawn"), _start, (tokenizer, os.getpid()))


def _start(tokenizer, parent: int) -> None:
    global _encode_here_with
    _encode_here_with = _Encode(tokenizer)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process when its parent was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _encode_here(texts: list[str]) -> tuple[np.ndarray, np.ndarray, float]:
    return _encode_here_with(texts)
