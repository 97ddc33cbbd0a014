"""Token files -> training samples: split, index files, and one sample at a time.

PaddleNLP's order for PaddleNLP's parameters: documents in file order, repeated epoch by epoch,
cut into overlapping windows of T + 1 tokens, windows shuffled.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from data_tools import index_helper
from data_tools.token_file import TokenFile, find_prefixes
from data_tools.tokenizer import Tokenizer

SPLITS = ("train", "valid", "test")


def split_bounds(shares: list[float], documents: int) -> list[int]:
    """Document bounds [0, a, b, documents] of train, valid and test (PaddleNLP's rounding)."""
    bounds = [0]
    for share in shares:
        bounds.append(bounds[-1] + int(round(share * documents)))
    excess = bounds[-1] - documents
    return [0] + [bound - excess for bound in bounds[1:]]


def open_dataset(input_dir: str) -> TokenFile:
    """The one dataset under input_dir; ValueError where there is none, or several."""
    prefixes = find_prefixes(input_dir)
    if len(prefixes) > 1:
        raise ValueError(
            f"{input_dir} holds {len(prefixes)} datasets ({', '.join(prefixes)}); name one of them "
            "with --input_dir X_ids.npy, blending is not built yet"
        )
    return TokenFile.open(prefixes[0])


def check_tokenizer(tokens: TokenFile, tokenizer: Tokenizer) -> None:
    """ValueError where the dataset says that another tokenizer made it."""
    made_with = (tokens.meta or {}).get("tokenizer_fingerprint")
    if made_with not in (None, tokenizer.fingerprint()):
        raise ValueError(
            f"{tokens.prefix} was made with another tokenizer (fingerprint {made_with[:12]}) than "
            f"the one given ({tokenizer.fingerprint()[:12]}): the same ids mean other text"
        )


class PretrainDataset:
    """Samples of one split: `dataset[i]` is (T + 1,) int64, the inputs and the labels one later.

    `num_samples` of them are asked for; the epochs that takes are indexed whole.
    """

    def __init__(
        self,
        tokens: TokenFile,
        split: str,
        bounds: list[int],
        *,
        seq_length: int,
        num_samples: int,
        seed: int,
    ):
        which = SPLITS.index(split)
        first, last = bounds[which], bounds[which + 1]
        self.tokens, self.split, self.seq_length = tokens, split, seq_length
        self.documents = np.arange(first, last, dtype=np.int32)
        self.order_key = _order_key(tokens, bounds, seq_length, seed)
        self.doc_idx, self.sample_idx, self.shuffle_idx = self._indices(num_samples, seed)

    def __len__(self) -> int:
        return len(self.shuffle_idx)

    def __getitem__(self, index: int) -> np.ndarray:
        return index_helper.sample(
            self.tokens.ids, self.tokens.document_offsets, self.doc_idx, self.sample_idx,
            int(self.shuffle_idx[index]), self.seq_length,
        )

    def sample_order(self) -> str:
        """Digest of the first samples' order. Asking for more epochs shuffles anew."""
        return hashlib.sha256(np.ascontiguousarray(self.shuffle_idx[:65536])).hexdigest()[:12]

    def epoch(self, samples: int) -> int:
        """Whole passes over the split's tokens that `samples` samples have made."""
        tokens = int(self.tokens.document_sizes[self.documents].sum(dtype=np.int64))
        return samples * self.seq_length // tokens

    def _indices(self, num_samples: int, seed: int):
        """From the index files beside the data, which are built where absent or damaged."""
        stem = f"{self.tokens.prefix}_gpt_{self.split}_indexmap_{num_samples}ns_{self.seq_length}sl"
        paths = [Path(f"{stem}_{self.order_key}_{kind}_idx.npy")
                 for kind in ("doc", "sample", "shuffle")]
        try:
            return [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
        except (OSError, ValueError):
            built = index_helper.build_indices(
                self.tokens.document_sizes, self.documents, self.seq_length, num_samples, seed
            )
        for path, array in zip(paths, built, strict=True):
            _save(path, array)
        return built


def has_samples(tokens: TokenFile, split: str, bounds: list[int]) -> bool:
    """Whether the split holds enough tokens for one sample, in however many epochs."""
    which = SPLITS.index(split)
    return int(tokens.document_sizes[bounds[which] : bounds[which + 1]].sum(dtype=np.int64)) > 1


def _order_key(tokens: TokenFile, bounds: list[int], seq_length: int, seed: int) -> str:
    """Names everything that shapes the order of samples, so that a stale file is never read."""
    digest = hashlib.sha256(tokens.document_sizes.tobytes())
    digest.update(repr((bounds, seq_length, seed, len(tokens.ids))).encode())
    return digest.hexdigest()[:12]


def _save(path: Path, array: np.ndarray) -> None:
    """Whole or not at all; a directory that cannot be written costs the next run a rebuild."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.save(file, array)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
