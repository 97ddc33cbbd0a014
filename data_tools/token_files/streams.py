"""Token files while they grow: files that are appended to and can be cut back to an earlier length.

TokenFileWriter, which writes everything or nothing, and the command that prepares a corpus, which
continues after it was killed, both use this.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np

from data_tools.files import checksums, sync, sync_file, whole_file, whole_folder
from data_tools.json_fields import read_object
from data_tools.token_files.meta import FIELDS, FORMAT_VERSION, ids_dtype


class Stream:
    """A file that is only appended to, and can be cut back to where `sync` was called.

    head: bytes at its start that may be written over later, so no checksum counts them.
    """

    def __init__(self, path: Path, mark: dict | None = None, head: bytes = b""):
        """mark: what `sync` returned; without it the file begins anew. ValueError where the bytes
        up to there are not those that were written."""
        if mark:
            _check(path, mark, len(head))
        self._file = open(path, "r+b" if mark else "wb", buffering=1 << 20)
        self.length, self._checksum = (mark["bytes"], mark["crc32"]) if mark else (len(head), 0)
        self._file.write(head)
        self._file.truncate(self.length)
        self._file.seek(self.length)

    def write(self, data) -> None:
        """Append bytes, or the bytes of a contiguous array."""
        self.length += memoryview(data).nbytes
        self._checksum = zlib.crc32(data, self._checksum)
        self._file.write(data)

    def sync(self) -> dict[str, int]:
        """Sync to the disk; what another Stream needs to go on from here."""
        sync_file(self._file)
        return {"bytes": self.length, "crc32": self._checksum}

    def overwrite_start(self, data: bytes) -> None:
        self._file.seek(0)
        self._file.write(data)
        self._file.seek(self.length)

    def close(self) -> None:
        self._file.close()


class TokenStreams:
    """ids and lengths of documents, appended in a folder; memory does not grow with them."""

    def __init__(self, folder: str | os.PathLike, vocab_size: int, mark: dict | None = None):
        """mark: what `sync` returned, to go on from there; without it the files begin anew."""
        self.folder, self.vocab_size = Path(folder), vocab_size
        self._dtype, mark = ids_dtype(vocab_size), mark or {}
        self.tokens, self.documents = mark.get("tokens", 0), mark.get("documents", 0)
        self._ids = Stream(self.folder / "ids.npy", mark.get("ids"), self._header())
        self._lens = Stream(self.folder / "lens", mark.get("lens"))

    def append_flat(self, ids: np.ndarray, offsets: np.ndarray) -> None:
        """Add documents: document i is ids[offsets[i] : offsets[i + 1]], none of them empty.

        ids: integers [tokens], each in [0, vocab_size). offsets: integers [documents + 1].
        ValueError for anything else, with nothing written.
        """
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise ValueError(f"ids are one row of integers, not {ids.dtype} {ids.shape}")
        lens = np.diff(offsets.astype(np.int64))
        if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(ids):
            raise ValueError(f"offsets do not go from 0 to the {len(ids)} ids")
        if len(lens) and not 0 < lens.min() <= lens.max() < 2**31:
            raise ValueError("a document has 1 to 2^31 - 1 ids, "
                             f"not {lens.min() if lens.min() < 1 else lens.max()}")
        low = int(ids.min()) if len(ids) and ids.dtype.kind == "i" else 0
        high = int(ids.max()) if len(ids) else 0
        if low < 0 or high >= self.vocab_size:
            wrong = low if low < 0 else high
            raise ValueError(f"token id {wrong} is outside the vocabulary of {self.vocab_size}")
        self._ids.write(np.ascontiguousarray(ids, dtype=self._dtype))
        self._lens.write(lens.astype(np.int32))
        self.tokens += len(ids)
        self.documents += len(lens)

    def sync(self) -> dict:
        """Sync to the disk; what another TokenStreams needs to go on from here."""
        return {"tokens": self.tokens, "documents": self.documents, "ids": self._ids.sync(),
                "lens": self._lens.sync()}

    def finish(self, meta: dict, tokenizer, name: str) -> None:
        """Complete the folder: idx.npz, tokenizer/ and, last of all, meta.json.

        meta: stored with the counts. name: the last part of the files' prefix. A folder tokenizer/
        that exists already must hold `tokenizer`, and is not written again.
        """
        self._ids.overwrite_start(self._header())
        self._ids.sync()
        self._lens.sync()
        lens = np.fromfile(self.folder / "lens", dtype=np.int32)
        assert len(lens) == self.documents and lens.sum(dtype=np.int64) == self.tokens
        with open(self.folder / "idx.npz", "wb") as file:
            np.savez(file, lens=lens, docs=np.arange(len(lens) + 1, dtype=np.int64))
            sync_file(file)
        counts = {
            "format_version": FORMAT_VERSION,
            "vocab_size": self.vocab_size,
            "documents": self.documents,
            "tokens": self.tokens,
            "ids_sha256": checksums(self.folder / "ids.npy")["sha256"],
        }
        if tokenizer is not None:
            counts["tokenizer"] = name + "_tokenizer"
            counts["tokenizer_fingerprint"] = tokenizer.fingerprint()
            if not (self.folder / "tokenizer").exists():
                save_tokenizer(tokenizer, self.folder / "tokenizer")
        write_json(self.folder / "meta.json", counts | meta)

    def close(self) -> None:
        self._ids.close()
        self._lens.close()

    def _header(self) -> bytes:
        # numpy pads the header so that the first axis can grow: its length stays the same, and
        # the final shape fits over the first one.
        from io import BytesIO

        buffer = BytesIO()
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.tokens,)}
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()


def _check(path: Path, mark: dict, head: int) -> None:
    left, checksum = mark["bytes"] - head, 0
    if path.is_file():
        with open(path, "rb") as file:
            file.seek(head)
            while data := file.read(min(left, 1 << 22)):
                left -= len(data)
                checksum = zlib.crc32(data, checksum)
    if left or checksum != mark["crc32"]:
        raise ValueError(f"{path} does not begin with what the stopped run wrote")


def put_in_place(folder: Path, prefix: str) -> None:
    """Move a finished folder's files to X_ids.npy and so on, and remove the folder.

    After a kill it can be called again and moves the rest. While only some of the files have moved,
    nobody must open them together: an earlier X_idx.npz is removed first and the new one is moved
    last, and readers say meanwhile that it is missing. Files of an earlier run that this run does
    not replace (its tokenizer, its list of skipped texts) are removed.
    """
    meta = read_object(folder / "meta.json", FIELDS, ("tokens", "ids_sha256"))
    # No run can continue from here on, because ids.npy is about to leave the folder.
    (folder / "state.json").unlink(missing_ok=True)
    tokenizer, ours = Path(f"{prefix}_tokenizer"), folder / "tokenizer"
    if (folder / "ids.npy").exists():
        Path(f"{prefix}_idx.npz").unlink(missing_ok=True)
        sync(Path(prefix).parent)
        (folder / "ids.npy").replace(f"{prefix}_ids.npy")
    if tokenizer.exists() and (ours.exists() or "tokenizer" not in meta):
        # A folder cannot be renamed onto a full one.
        shutil.rmtree(folder / "old_tokenizer", ignore_errors=True)
        tokenizer.rename(folder / "old_tokenizer")
    if ours.exists():
        ours.rename(tokenizer)
    if (folder / "skipped.jsonl").exists():
        (folder / "skipped.jsonl").replace(f"{prefix}_skipped.jsonl")
    elif "skipped_log" not in meta:
        Path(f"{prefix}_skipped.jsonl").unlink(missing_ok=True)
    # Copied, not moved: a later call needs the folder's own until everything has moved.
    write_json(Path(f"{prefix}_meta.json"), meta)
    if (folder / "idx.npz").exists():
        (folder / "idx.npz").replace(f"{prefix}_idx.npz")
    sync(Path(prefix).parent)
    shutil.rmtree(folder)


def save_tokenizer(tokenizer, folder: Path) -> None:
    """Write the folder whole or not at all, even if the machine loses power."""
    with whole_folder(folder) as temporary:
        tokenizer.save(temporary)


def write_json(path: Path, content: dict) -> None:
    """Write the file whole or not at all; an earlier one is replaced."""
    with whole_file(path) as file:
        # In ASCII: a path need not be UTF-8.
        file.write(json.dumps(content, indent=2).encode("ascii") + b"\n")
