"""Files that are whole: their size and checksum, and that they have reached the disk."""

import hashlib
import os
from pathlib import Path


def checksums(path: Path) -> dict:
    """bytes and sha256 (hex), as manifests have them."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
