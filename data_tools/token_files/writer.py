"""Write token files whole or not at all, from ids: for converters and tests."""

from __future__ import annotations

import os

import numpy as np

from data_tools.files import temporary_folder
from data_tools.token_files.streams import TokenStreams, put_in_place


class TokenFileWriter:
    """Context manager that streams documents to X_ids.npy, X_idx.npz, X_meta.json, X_tokenizer/.

    When the block ends without an exception, all files are put in place; after an exception the
    temporary files are removed and files of an earlier run stay as they were. Memory does not grow
    with the documents. meta: what the caller puts there is stored with the writer's own counts.
    folder: holds the files until the block ends; a skipped.jsonl put there becomes
    X_skipped.jsonl.
    """

    def __init__(self, prefix: str | os.PathLike, vocab_size: int, tokenizer=None):
        self.prefix = checked_prefix(prefix)
        if vocab_size < 1:
            raise ValueError(f"vocab_size must be positive, not {vocab_size}")
        self.vocab_size, self.tokenizer = vocab_size, tokenizer
        self.meta: dict = {}

    def __enter__(self) -> TokenFileWriter:
        self._temporary = temporary_folder(self.prefix)
        self.folder = self._temporary.__enter__()
        self._streams = TokenStreams(self.folder, self.vocab_size)
        return self

    @property
    def tokens(self) -> int:
        return self._streams.tokens

    @property
    def documents(self) -> int:
        return self._streams.documents

    def append(self, ids: np.ndarray) -> None:
        """Add one document: integers [n], n > 0, each in [0, vocab_size), else ValueError.

        Readers accept empty documents, but no text gives one: it would be the caller's mistake.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or not 0 < len(ids) < 2**31:
            raise ValueError(
                f"a document is one row of 1 to 2^31 - 1 integer ids, not {ids.dtype} {ids.shape}"
            )
        self.append_flat(ids, np.array([0, len(ids)]))

    def append_flat(self, ids: np.ndarray, offsets: np.ndarray) -> None:
        """Add documents ids[offsets[i] : offsets[i + 1]]; as `append`, for many at once."""
        self._streams.append_flat(ids, offsets)

    def __exit__(self, kind, error, traceback) -> None:
        try:
            try:
                if kind is None:
                    if not self.documents:
                        raise ValueError(f"no documents to write to {self.prefix}")
                    self._streams.finish(self.meta, self.tokenizer, os.path.basename(self.prefix))
            finally:
                self._streams.close()
            if kind is None:
                put_in_place(self.folder, self.prefix)
        finally:
            self._temporary.__exit__(None, None, None)


def checked_prefix(prefix: str | os.PathLike) -> str:
    """The prefix as a string; ValueError where it names a folder."""
    prefix = os.fspath(prefix)
    if not os.path.basename(prefix):
        raise ValueError(f"output prefix {prefix!r} must end in a name, not in a slash")
    return prefix
