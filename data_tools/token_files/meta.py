"""X_meta.json: what is known about a pair of token files beside what stands in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_tools.json_fields import (
    HASH,
    MOST,
    NAME,
    OBJECT,
    TRUTH,
    list_of,
    optional,
    read_object,
    text,
    whole,
)

FORMAT_VERSION = 1
MOST_IDS = 2**31  # as many as int32 can tell apart
# The keys that programs use; other keys tell people where the data came from.
_COUNT = whole(0, MOST)
FIELDS = {
    "format_version": whole(), "tokens": _COUNT, "documents": _COUNT, "utf8_bytes": _COUNT,
    "vocab_size": whole(1, MOST_IDS), "eos_token_id": optional(whole(0, MOST_IDS - 1)),
    "append_eos": TRUTH, "ids_sha256": HASH, "tokenizer": NAME, "tokenizer_fingerprint": HASH,
    "made_by": text(), "seed": _COUNT, "shuffled": TRUTH, "source": OBJECT, "skipped_log": NAME,
    "shard": optional(list_of(whole(), 2)),
}


def ids_dtype(vocab_size: int) -> np.dtype:
    """PaddleNLP's rule, its bound included: 65,535 tokens would fit uint16 and get int32."""
    if vocab_size > MOST_IDS:
        raise ValueError(f"a vocabulary of {vocab_size} tokens does not fit the format's int32 ids")
    return np.dtype(np.uint16 if vocab_size < 65535 else np.int32)


def read_meta(prefix: str, ids: np.ndarray, ends: np.ndarray) -> dict | None:
    """The meta file of these ids; None where there is none, as beside PaddleNLP's.

    ends: int64 [documents + 1], where documents end, 0 for the first. ValueError for a file that is
    damaged, or that cannot be of these ids.
    """
    path = Path(f"{prefix}_meta.json")
    if not path.exists():
        return None
    meta = read_object(path, FIELDS, ("format_version", "tokens", "documents"))
    if meta["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {meta['format_version']}, this code reads {FORMAT_VERSION}"
        )
    counts = len(ids), len(ends) - 1
    if (meta["tokens"], meta["documents"]) != counts:
        raise ValueError(
            f"{path} counts {meta['tokens']} tokens in {meta['documents']} documents but the data "
            f"holds {counts[0]} in {counts[1]}: they come from different runs, make them again"
        )
    _check_vocabulary(path, meta, ids, ends)
    return meta


def _check_vocabulary(path: Path, meta: dict, ids: np.ndarray, ends: np.ndarray) -> None:
    vocab_size, eos = meta.get("vocab_size"), meta.get("eos_token_id")
    if vocab_size is not None and ids_dtype(vocab_size) != ids.dtype:
        raise ValueError(f"{path}: vocab_size is {vocab_size}, whose ids are stored as "
                         f"{ids_dtype(vocab_size)}, but those beside it are {ids.dtype}")
    if eos is not None and vocab_size is not None and eos >= vocab_size:
        raise ValueError(f"{path}: eos_token_id is {eos}, outside the vocabulary of {vocab_size}")
    if not meta.get("append_eos"):
        return
    if eos is None:
        raise ValueError(f"{path}: append_eos is true, but no eos_token_id is told")
    # Of two documents, because one may be damaged: that is for verify() to tell.
    filled = ends[ends > 0]
    last = {int(ids[end - 1]) for end in (*filled[:1], *filled[-1:])}
    if last and eos not in last:
        raise ValueError(f"{path}: eos_token_id is {eos} and append_eos is true, but documents end "
                         f"in {' and '.join(map(str, sorted(last)))}")
