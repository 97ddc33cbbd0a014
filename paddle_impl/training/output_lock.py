"""One run at a time writes to an output_dir.

The run's main process holds a lock on the file .lock in it. The kernel releases the lock when the
process ends, however it ends; a run that ends normally removes the file. Two runs without it would
remove each other's temporary files and set each other's checkpoints aside.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from data_tools.files import lock_file, unlock_file
from paddle_impl import checkpoint
from paddle_impl.tracking import METRICS

FILE = ".lock"
_held: dict[str, int] = {}  # directory -> descriptor of its locked file, in this process


def take(output_dir: Path) -> bool:
    """Lock the directory, if it exists; returns whether this process did not hold it before.

    BlockingIOError, which names the other process, where a run holds it. A directory that cannot be
    written, and one on a file system without locks, is not locked.
    """
    directory, path = os.path.realpath(output_dir), output_dir / FILE
    if directory in _held or not output_dir.is_dir():
        return False
    try:
        descriptor = lock_file(path)
    except BlockingIOError as holder:
        raise BlockingIOError(
            f"--output_dir {output_dir} is in use by {holder}: stop that run or wait for its end, "
            "or name another --output_dir") from None
    if descriptor is None:
        return False
    _held[directory] = descriptor
    return True


@contextlib.contextmanager
def taken(output_dir: Path, is_main: bool) -> Iterator[None]:
    """Lock the directory in the main process.

    The lock stays after the block. Where an error ends the block it is given back, unless this
    process held it before, for another run.
    """
    is_new = is_main and take(output_dir)
    try:
        yield
    except BaseException:
        if is_new:
            release(output_dir)
        raise


def make(output_dir: Path) -> None:
    """Make the directory where it is missing, and lock it.

    OSError where another run holds it or has written to it since this one looked at it.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    if take(output_dir) and (checkpoint.checkpoints(output_dir)
                             or (output_dir / METRICS).exists()):
        release(output_dir)
        raise FileExistsError(f"--output_dir {output_dir} has become another run's meanwhile: "
                              "continue that with --resume, or name another directory")


def release(output_dir: Path) -> None:
    """Give the lock back and remove its file; nothing where this process does not hold it."""
    descriptor = _held.pop(os.path.realpath(output_dir), None)
    if descriptor is not None:
        unlock_file(output_dir / FILE, descriptor)
