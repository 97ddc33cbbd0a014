"""Processes that share the work of the ladder and of the mutants, one thread each."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def pool(processes: int) -> ProcessPoolExecutor:
    """As many new processes as asked for, each with one thread; they end with this one."""
    # Each process reads it when it imports Paddle. More threads than cores slow each other down.
    os.environ["OMP_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_the_parent)


def _end_with_the_parent() -> None:
    """End this process when its parent ends: after a kill -9 it would wait for work for ever."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
