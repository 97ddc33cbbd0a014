"""Processes that share the work of the ladder and of the mutants, one thread each."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process


@contextmanager
def pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """As many new processes as asked for; they end with the block, and with this process."""
    # Each process reads it when it imports Paddle. More threads than cores slow each other down.
    os.environ["OMP_NUM_THREADS"] = "1"
    others = active_children()
    executor = ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_end_with_the_parent)
    try:
        yield executor
    except BaseException:  # also Ctrl-C: do not wait until the processes finish their tasks
        for process in active_children():
            if process not in others:
                process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _end_with_the_parent() -> None:
    """End this process when its parent ends: after a kill -9 it would wait for work for ever."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
