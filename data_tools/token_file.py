"""Token files: PaddleNLP's pair of arrays, plus what this project adds to tell them apart.

    X_ids.npy    all tokens in one row, uint16 if the vocabulary has fewer than 65,535, else int32
    X_idx.npz    lens int32 [sentences]: tokens of each; docs int64 [documents + 1]: first sentence
                 of each. Here a document is one sentence, so docs is 0..n
    X_meta.json  counts, seed, sha256 of X_ids.npy, tokenizer fingerprint (absent: PaddleNLP's)
    X_tokenizer/ the tokenizer the ids belong to (absent: PaddleNLP's)

token_file_writer.py makes them; this file opens them.
"""

from __future__ import annotations

import json
import os
import zipfile
from functools import cached_property
from pathlib import Path

import numpy as np

FORMAT_VERSION = 1
SCAN_CHUNK = 1 << 24  # ids looked at together


def ids_dtype(vocab_size: int) -> np.dtype:
    """PaddleNLP's rule, its bound included: 65,535 tokens would fit uint16 and get int32."""
    return np.dtype(np.uint16 if vocab_size < 65535 else np.int32)


class TokenFile:
    """An open pair of token files; everything here has been checked against everything else.

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
            arrays = _read_npz(legacy_path)
            lens_path, ids = legacy_path, arrays.get("ids")
            if ids is None:
                raise ValueError(f"{legacy_path} has no array 'ids'")
            _check_ids(legacy_path, ids.dtype, ids.shape)
        else:
            lens_path = Path(f"{prefix}_idx.npz")
            for path in (ids_path, lens_path):
                if not path.exists():
                    raise ValueError(f"{path} is missing: {_pair_of(prefix)}")
            arrays, ids = _read_npz(lens_path), _map_ids(ids_path)
        lens = arrays.get("lens")
        if lens is None:
            raise ValueError(f"{lens_path} has no array 'lens'")
        if "docs" not in arrays and lens_path is not legacy_path:
            raise ValueError(f"{lens_path} has no array 'docs'")
        docs = arrays.get("docs", np.arange(len(lens) + 1, dtype=np.int64))
        _check_index(lens_path, lens, docs, len(ids))
        return cls(prefix, ids, lens, docs, _read_meta(prefix, len(ids), len(docs) - 1))

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
        return low, high


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


def _pair_of(prefix: str) -> str:
    return f"{prefix}_ids.npy and {prefix}_idx.npz go together, copy both or make them again"


def _map_ids(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            old = np.lib.format.read_magic(file) == (1, 0)
            read = (
                np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
            start, actual = file.tell(), path.stat().st_size
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable .npy file: {error}") from None
    _check_ids(path, dtype, shape)
    expected = start + shape[0] * dtype.itemsize
    if actual != expected:
        raise ValueError(
            f"{path} is {actual} bytes long but its header announces {expected}: "
            "copy it again or make it again"
        )
    # An empty range cannot be mapped.
    return np.load(path, mmap_mode="r" if shape[0] else None, allow_pickle=False)


def _check_ids(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    if dtype not in (np.uint16, np.int32) or len(shape) != 1:
        raise ValueError(f"{path} holds {dtype} {shape}, expected one row of uint16 or int32")


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .npz file: {error}") from None


def _check_index(path: Path, lens: np.ndarray, docs: np.ndarray, tokens: int) -> None:
    for name, array, dtype in (("lens", lens, np.int32), ("docs", docs, np.int64)):
        if array.dtype != dtype or array.ndim != 1:
            raise ValueError(
                f"{path}: {name} is {array.dtype} {array.shape}, "
                f"expected one row of {np.dtype(dtype)}"
            )
    if len(lens) and lens.min() < 0:
        raise ValueError(f"{path}: lens holds the negative length {lens.min()}")
    total = int(lens.sum(dtype=np.int64))
    if total != tokens:
        raise ValueError(
            f"{path} counts {total} tokens but the ids file holds {tokens}: "
            "the two come from different runs, copy both or make them again"
        )
    if not len(docs) or docs[0] != 0 or docs[-1] != len(lens) or (np.diff(docs) < 0).any():
        raise ValueError(f"{path}: docs does not rise from 0 to the {len(lens)} sentences of lens")


def _read_meta(prefix: str, tokens: int, documents: int) -> dict | None:
    path = Path(f"{prefix}_meta.json")
    if not path.exists():
        return None
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        version, counted = meta["format_version"], (meta["tokens"], meta["documents"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a readable meta file: {error!r}") from None
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format version {version}, this code reads {FORMAT_VERSION}")
    if counted != (tokens, documents):
        raise ValueError(
            f"{path} counts {counted[0]} tokens in {counted[1]} documents but the data holds "
            f"{tokens} in {documents}: they come from different runs, make them again"
        )
    return meta
