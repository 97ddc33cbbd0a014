"""Files and folders that are whole: written beside their place, synced to the disk, then renamed.

This is the only place that does so. A temporary is called `.NAME.<8 hex digits>.tmp`, hidden and
beside NAME, so that the rename is atomic. The process that writes it holds a lock on it; what a
killed process left is not locked, and the next one that writes NAME removes it.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(tmp|old)")


def checksums(path: Path) -> dict:
    """bytes and sha256 (hex), as manifests have them."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def sync(path: str | os.PathLike) -> None:
    """Wait until a file, or the names in a directory, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(file) -> None:
    """Wait until what was written to an open file would survive a power cut."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` when the block has succeeded.

    See whole_files.
    """
    with whole_files(path) as (file,):
        yield file


@contextmanager
def whole_files(*paths: str | os.PathLike) -> Iterator[list[BinaryIO]]:
    """Files to write, in binary, put in place one after the other when the block has succeeded.

    An exception in the block, KeyboardInterrupt included, removes them and leaves what was there
    before as it was. A path that is a link is itself replaced; give os.path.realpath(path) to
    replace the file that it points to. The folders must exist, else OSError.
    """
    temporary: list[Path] = []
    files: list[BinaryIO] = []
    try:
        for path in map(Path, paths):
            name, descriptor = _new_temporary(path, _create_file)
            temporary.append(name)
            files.append(os.fdopen(descriptor, "wb", buffering=1 << 20))
        yield files
        for file in files:
            sync_file(file)
        for path in paths:
            os.replace(temporary[0], path)
            del temporary[0]
        for folder in dict.fromkeys(Path(path).parent for path in paths):
            sync(folder)
    finally:
        for file in files:  # now that the lock on it is no longer needed
            with contextlib.suppress(OSError):  # a full disk, which `sync_file` has told of
                file.close()
        for name in temporary:
            name.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A folder to fill, which takes the place of `path` when the block has succeeded.

    An exception in the block, KeyboardInterrupt included, removes it and leaves what was there
    before as it was. To replace a folder takes two renames: a process killed between them leaves
    the earlier one as `.NAME.<8 hex digits>.old`. Missing parents are made.
    """
    path = Path(path)
    old = _beside(path, "old")
    with temporary_folder(path) as temporary:
        yield temporary
        for inside in (*temporary.rglob("*"), temporary):
            sync(inside)
        try:
            if os.path.lexists(path):
                os.rename(path, old)
            os.rename(temporary, path)
        except BaseException:
            if os.path.lexists(old) and not os.path.lexists(path):
                os.rename(old, path)
            raise
        sync(path.parent)
    for left in _temporaries(path, "old"):
        _remove(left)


@contextmanager
def temporary_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A new folder beside `path`, removed with all that is left in it when the block ends."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, descriptor = _new_temporary(path, _create_folder)
    try:
        yield temporary
    finally:
        _remove(temporary)
        os.close(descriptor)


def lock_file(path: str | os.PathLike) -> int | None:
    """Lock the file, made where it is missing, and write this process's name into it.

    Returns its descriptor; the kernel releases the lock when the last process that has it is gone
    or has closed it. None where the file cannot be written or its file system has no locks.
    BlockingIOError, with the holder's name as its text, where another process holds it.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise BlockingIOError(holder or "another process") from None
        except OSError:
            os.close(descriptor)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                break
        os.close(descriptor)  # the process that held it has removed it meanwhile
    with contextlib.suppress(OSError):  # a full disk: the lock holds without the name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return descriptor


def unlock_file(path: str | os.PathLike, descriptor: int) -> None:
    """Remove a file that lock_file has locked, and give the lock back."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    os.close(descriptor)


def target_of(name: str) -> str | None:
    """The name of what a temporary was made for; None for a name that is no temporary's.

    The owner of a folder knows by this what a killed process left in it.
    """
    match = _TEMPORARY.fullmatch(name)
    return match and match[1]


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{ending}")


def _new_temporary(path: Path, create: Callable[[Path], int]) -> tuple[Path, int]:
    """The temporary and its locked descriptor; those of killed processes are removed before."""
    for left in _temporaries(path, "tmp"):
        _remove_if_unlocked(left)
    while True:
        temporary = _beside(path, "tmp")
        descriptor = create(temporary)
        with contextlib.suppress(OSError):  # a file system without locks: leftovers stay there
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _create_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _create_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


def _temporaries(path: Path, ending: str) -> list[Path]:
    return [found for found in path.parent.glob(f".{glob.escape(path.name)}.*.{ending}")
            if target_of(found.name) == path.name]


def _remove_if_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone by now, not ours, or on a file system without locks
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink(missing_ok=True)
