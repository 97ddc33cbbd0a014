"""Token files, written whole or not at all: temporary names first, renamed when complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from array import array
from pathlib import Path

import numpy as np

from data_tools.token_file import FORMAT_VERSION, ids_dtype
from data_tools.tokenizer import Tokenizer


class TokenFileWriter:
    """Context manager that streams documents to X_ids.npy, X_idx.npz, X_meta.json, X_tokenizer/.

    Leaving the block without an exception puts all files in place; with one, the temporary files
    go and files of an earlier run stay as they were. Memory: four bytes per document.
    What the caller puts into `meta` is stored along with the writer's own counts.
    """

    def __init__(
        self, prefix: str | os.PathLike, vocab_size: int, tokenizer: Tokenizer | None = None
    ):
        self.prefix = os.fspath(prefix)
        if not os.path.basename(self.prefix):
            raise ValueError(f"output prefix {self.prefix!r} must end in a name, not in a slash")
        if vocab_size < 1:
            raise ValueError(f"vocab_size must be positive, not {vocab_size}")
        self.vocab_size, self.tokenizer = vocab_size, tokenizer
        self.meta: dict = {}
        self.tokens = 0
        self._dtype = ids_dtype(vocab_size)
        self._lens = array("i")

    def __enter__(self) -> TokenFileWriter:
        Path(self.prefix).parent.mkdir(parents=True, exist_ok=True)
        self._ids = open(self._temporary("ids.npy"), "wb", buffering=1 << 20)
        self._write_header()
        return self

    def append(self, ids: np.ndarray) -> None:
        """Add one document: integers [n], n > 0, each in [0, vocab_size), else ValueError.

        Readers cope with empty documents, but no text makes one: here it is a caller's mistake.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or not 0 < len(ids) < 2**31:
            raise ValueError(
                f"a document is one row of 1 to 2^31 - 1 integer ids, not {ids.dtype} {ids.shape}"
            )
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= self.vocab_size:
            wrong = low if low < 0 else high
            raise ValueError(f"token id {wrong} is outside the vocabulary of {self.vocab_size}")
        self._ids.write(ids.astype(self._dtype).tobytes())
        self._lens.append(len(ids))
        self.tokens += len(ids)

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self._finish()
                self._put_in_place()
        finally:
            self._ids.close()
            for name in ("ids.npy", "idx.npz", "meta.json"):
                self._temporary(name).unlink(missing_ok=True)
            for name in ("tokenizer", "old_tokenizer"):
                shutil.rmtree(self._temporary(name), ignore_errors=True)

    def _finish(self) -> None:
        if not self._lens:
            raise ValueError(f"no documents to write to {self.prefix}")
        body = self._ids_start
        self._ids.seek(0)
        self._write_header()
        assert self._ids_start == body
        _sync(self._ids)
        with open(self._temporary("idx.npz"), "wb") as file:
            docs = np.arange(len(self._lens) + 1, dtype=np.int64)
            np.savez(file, lens=np.array(self._lens, dtype=np.int32), docs=docs)
            _sync(file)
        meta = {
            "format_version": FORMAT_VERSION,
            "vocab_size": self.vocab_size,
            "documents": len(self._lens),
            "tokens": self.tokens,
            "ids_sha256": _sha256(self._temporary("ids.npy")),
        }
        if self.tokenizer is not None:
            meta["tokenizer"] = os.path.basename(self.prefix) + "_tokenizer"
            meta["tokenizer_fingerprint"] = self.tokenizer.fingerprint()
            self.tokenizer.save(self._temporary("tokenizer"))
            for path in self._temporary("tokenizer").iterdir():
                with path.open("rb+") as file:
                    _sync(file)
        with open(self._temporary("meta.json"), "w", encoding="utf-8") as file:
            json.dump(meta | self.meta, file, indent=2, ensure_ascii=False)
            file.write("\n")
            _sync(file)

    def _put_in_place(self) -> None:
        # Several renames are not one. meta.json goes last: whoever opens the files between two
        # of them finds counts that disagree, and is told so.
        tokenizer = Path(f"{self.prefix}_tokenizer")
        if tokenizer.exists():  # a folder cannot be renamed onto a full one
            tokenizer.rename(self._temporary("old_tokenizer"))
        if self.tokenizer is not None:
            self._temporary("tokenizer").rename(tokenizer)
        for name in ("ids.npy", "idx.npz", "meta.json"):
            self._temporary(name).replace(f"{self.prefix}_{name}")
        folder = os.open(Path(self.prefix).parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write_header(self) -> None:
        # numpy pads the header so that the first axis can grow: its length stays the same, and
        # the final shape fits over the first one.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.tokens,)}
        np.lib.format.write_array_header_1_0(self._ids, header)
        self._ids_start = self._ids.tell()

    def _temporary(self, name: str) -> Path:
        # The process id keeps two runs to one prefix out of each other's files.
        return Path(f"{self.prefix}_{name}.{os.getpid()}.tmp")


def _sync(file) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
