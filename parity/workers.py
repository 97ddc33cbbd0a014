"""Processes that share the work of the ladder and of the mutants, one thread each."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def pool(processes: int) -> ProcessPoolExecutor:
    """As many new processes as asked for, each with one thread; they end with this one."""
    # Each process reads it when it imports Paddle: threads of several would be in each other's way.
    os.environ["OMP_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_the_parent)


def _end_with_the_parent() -> None:
    """A parent that is killed closes no queue: its workers would wait for ever."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
