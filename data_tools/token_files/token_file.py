"""Token files: PaddleNLP's pair of arrays, plus what this project adds to tell them apart.

    X_ids.npy    all tokens in one row, uint16 if the vocabulary has fewer than 65,535, else int32
    X_idx.npz    lens int32 [sentences]: tokens of each; docs int64 [documents + 1]: first sentence
                 of each. Here a document is one sentence, so docs is 0..n
    X_meta.json  counts, seed, sha256 of X_ids.npy, tokenizer fingerprint (absent: PaddleNLP's)
    X_tokenizer/ the tokenizer the ids belong to (absent: PaddleNLP's)

PaddleNLP's older files open too: an array `sents` beside lens and docs is not read, and a single
X_ids.npz may hold ids, lens and docs. writer.py writes token files, this file opens them, and
check.py reads every token.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from data_tools.token_files.arrays import map_row, read_npz, release
from data_tools.token_files.check import find_problems
from data_tools.token_files.meta import read_meta

SCAN_CHUNK = 1 << 24  # ids looked at together
IDS_TYPES, INDEX_TYPES = (np.uint16, np.int32), {"lens": (np.int32,), "docs": (np.int64,)}


class TokenFile:
    """An open pair of token files, whose types, lengths and counts agree.

    ids: [tokens] uint16 or int32, mapped from disk (a legacy .npz: read into memory).
    lens: int32 [sentences]. docs: int64 [documents + 1].
    meta: dict, or None for files that PaddleNLP made.
    """

    def __init__(self, prefix: str, ids: np.ndarray, lens, docs, meta: dict | None):
        self.prefix, self.ids, self.lens, self.docs, self.meta = prefix, ids, lens, docs, meta

    @classmethod
    def open(cls, prefix: str | os.PathLike) -> TokenFile:
        """Open X_ids.npy + X_idx.npz (or the older X_ids.npz) by their common prefix X.

        ValueError, in one sentence, when a file is missing, cut short, of another type, or when
        the files do not belong together.
        """
        prefix = os.fspath(prefix)
        ids_path, legacy_path = Path(f"{prefix}_ids.npy"), Path(f"{prefix}_ids.npz")
        if legacy_path.exists() and not ids_path.exists():
            lens_path = legacy_path
            arrays = read_npz(legacy_path, {"ids": IDS_TYPES} | INDEX_TYPES)
        else:
            lens_path = Path(f"{prefix}_idx.npz")
            for path in (ids_path, lens_path):
                if not path.exists():
                    raise ValueError(f"{path} is missing: {_pair_of(prefix)}")
            ids = map_row(ids_path, IDS_TYPES)
            # Compressed, a small file may unpack to anything; this is twice what one sentence
            # and one document per token would take, and room for empty ones.
            limit = (1 << 26) + 24 * len(ids)
            arrays = {"ids": ids} | read_npz(lens_path, INDEX_TYPES, limit)
        if lens_path is legacy_path and "lens" in arrays:
            arrays.setdefault("docs", np.arange(len(arrays["lens"]) + 1, dtype=np.int64))
        for name in ("ids", "lens", "docs"):
            if name not in arrays:
                raise ValueError(f"{lens_path} has no array {name!r}")
        ids, lens, docs = arrays["ids"], arrays["lens"], arrays["docs"]
        _check_index(lens_path, lens, docs, len(ids))
        data = cls(prefix, ids, lens, docs, None)
        data.meta = read_meta(prefix, ids, data.document_offsets)
        return data

    def __len__(self) -> int:
        """Documents."""
        return len(self.docs) - 1

    @cached_property
    def document_offsets(self) -> np.ndarray:
        """int64 [documents + 1]: where each document begins in `ids`, and where the last ends."""
        ends = np.zeros(len(self.lens) + 1, dtype=np.int64)
        np.cumsum(self.lens, out=ends[1:])
        return ends[self.docs]

    @cached_property
    def document_sizes(self) -> np.ndarray:
        """int32 [documents]: tokens of each, as build_indices takes them."""
        sizes = np.diff(self.document_offsets)
        if len(sizes) and sizes.max() > np.iinfo(np.int32).max:
            raise ValueError(
                f"{self.prefix} has a document of {sizes.max()} tokens, at most 2^31 - 1"
            )
        return sizes.astype(np.int32)

    def document(self, i: int) -> np.ndarray:
        """The ids of document i, without a copy."""
        if not 0 <= i < len(self):
            raise ValueError(f"document {i} of {self.prefix}: there are {len(self)}")
        return self.ids[self.document_offsets[i] : self.document_offsets[i + 1]]

    def id_range(self) -> tuple[int, int]:
        """The smallest and the largest id, found chunk by chunk; (0, -1) without tokens.

        A model needs more embedding rows than the largest; int32 files can hold negative ids.
        """
        low, high = 0, -1
        for start in range(0, len(self.ids), SCAN_CHUNK):
            chunk = self.ids[start : start + SCAN_CHUNK]
            low, high = min(low, int(chunk.min())), max(high, int(chunk.max()))
            release(self.ids)
        return low, high

    def verify(
        self, vocab_size: int | None = None, progress: Callable[[int], None] = lambda _: None
    ) -> list[str]:
        """Read every token; one sentence per kind of problem, with the first bad place.

        vocab_size: by default meta's. progress: called with the bytes just read.
        """
        return find_problems(self, vocab_size, progress)


def find_prefixes(path: str | os.PathLike) -> list[str]:
    """Prefixes of the token files in a folder, sorted; or the one that `path` itself names.

    `path` may be a folder, a prefix, or one of the files X_ids.npy, X_idx.npz, X_ids.npz.
    """
    path = os.fspath(path)
    endings = ("_ids.npy", "_ids.npz", "_idx.npz")
    if os.path.isdir(path):
        names = [os.path.join(path, name) for name in os.listdir(path)]
    else:
        names = [path] if path.endswith(endings) else [path + ending for ending in endings]
        names = [name for name in names if os.path.exists(name)]
    prefixes = {name[: -len("_ids.npy")] for name in names if name.endswith(endings)}
    if not prefixes:
        raise ValueError(
            f"no data in {path}: expected X_ids.npy + X_idx.npz, "
            "make it with bash scripts/process_data.sh"
        )
    return sorted(prefixes)


def open_only(path: str | os.PathLike) -> TokenFile:
    """Open the one token file that find_prefixes finds; ValueError where there are several."""
    prefixes = find_prefixes(path)
    if len(prefixes) > 1:
        raise ValueError(
            f"{path} holds {len(prefixes)} datasets, name one: {prefixes[0]}, {prefixes[1]}, ..."
        )
    return TokenFile.open(prefixes[0])


def _pair_of(prefix: str) -> str:
    return f"{prefix}_ids.npy and {prefix}_idx.npz go together, copy both or make them again"


def _check_index(path: Path, lens: np.ndarray, docs: np.ndarray, tokens: int) -> None:
    if len(lens) and lens.min() < 0:
        raise ValueError(f"{path}: lens holds the negative length {lens.min()}")
    total = int(lens.sum(dtype=np.int64))
    if total != tokens:
        raise ValueError(
            f"{path} counts {total} tokens but the ids file holds {tokens}: "
            "the two come from different runs, copy both or make them again"
        )
    if not len(docs) or docs[0] != 0 or docs[-1] != len(lens) or (docs[1:] < docs[:-1]).any():
        raise ValueError(f"{path}: docs does not rise from 0 to the {len(lens)} sentences of lens")

