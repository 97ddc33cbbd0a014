"""Token files -> training samples: split, index files, and one sample at a time.

The documents of a split are joined, repeated for each epoch and cut into windows of T + 1 tokens
that overlap by one token; then the windows are shuffled. For equal parameters the order is that of
PaddleNLP, or that of Megatron-LM.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from data_tools import index_helper
from data_tools.splits import SPLITS
from data_tools.token_files.token_file import TokenFile
from paddle_impl.data.index_files import VERSION, open_or_build


class Samples:
    """Base of the datasets whose read(i, out) writes a sample to a row: adds `dataset[i]`."""

    seq_length: int

    def __getitem__(self, index: int) -> np.ndarray:
        """int64 (T + 1,)."""
        out = np.empty(self.seq_length + 1, np.int64)
        self.read(index, out)
        return out


class PretrainDataset(Samples):
    """Samples of one split: `dataset[i]` is (T + 1,) int64; inputs are [:-1], labels [1:].

    Its length is at least `num_samples`, rounded up to whole epochs.
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
        order: str = "paddlenlp",
    ):
        which = SPLITS.index(split)
        first, last = bounds[which], bounds[which + 1]
        self.tokens, self.split, self.seq_length = tokens, split, seq_length
        self.documents = np.arange(first, last, dtype=np.int32)
        # The name of PaddleNLP's order is left out: keys in existing checkpoints lack it.
        named = () if order == "paddlenlp" else (order,)
        self.order_key = order_key(tokens, bounds, seq_length, seed, *named)
        self.notes: list[str] = []
        self.doc_idx, self.sample_idx, self.shuffle_idx = index_arrays(
            self, num_samples, ("doc", "sample", "shuffle"),
            lambda: index_helper.build_indices(
                tokens.document_sizes, self.documents, seq_length, num_samples, seed, order
            ),
        )
        self._ids, self._offsets = np.asarray(tokens.ids), tokens.document_offsets
        self._per_epoch = int(self._offsets[last] - self._offsets[first])

    def __len__(self) -> int:
        return len(self.shuffle_idx)

    def read(self, index: int, out: np.ndarray) -> int:
        """Write sample `index` to `out` (T + 1,); returns T + 1, since no token is padding."""
        index_helper.copy_sample(
            self._ids, self._offsets, self.doc_idx, self.sample_idx,
            self.shuffle_idx.item(index), out,
        )
        return len(out)

    def sample_order(self) -> str:
        """Digest of the first samples' order, which changes with the number of epochs."""
        return digest_of_order(self.shuffle_idx)

    def epoch(self, samples: int) -> int:
        """Whole passes over the split's tokens that `samples` samples have made."""
        return samples * self.seq_length // self._per_epoch


def index_arrays(
    dataset, num_samples: int, kinds: Sequence[str], build: Callable[[], Sequence[np.ndarray]]
) -> list[np.ndarray]:
    """The dataset's index arrays, from files beside its token file.

    The file names are PaddleNLP's with a key added, a digest of everything that the arrays depend
    on. So different orders never share a file.
    """
    shaped_by = (VERSION, dataset.order_key, dataset.split, num_samples)
    key = hashlib.sha256(repr(shaped_by).encode()).hexdigest()
    stem = f"{dataset.tokens.prefix}_gpt_{dataset.split}_indexmap_{num_samples}ns"
    stem = f"{stem}_{dataset.seq_length}sl_{key[:12]}"
    return open_or_build(stem, key, kinds, build, dataset.notes)


def has_samples(
    tokens: TokenFile,
    split: str,
    bounds: list[int],
    packing: str = "windows",
    seq_length: int = 1,
) -> bool:
    """Whether the split holds enough tokens for one sample, with documents repeated if needed."""
    which = SPLITS.index(split)
    sizes = tokens.document_sizes[bounds[which] : bounds[which + 1]]
    if packing == "windows":
        return int(sizes.sum(dtype=np.int64)) > 1
    return int(sizes.max(initial=0)) >= (seq_length if packing == "drop" else 2)


def order_key(tokens: TokenFile, bounds: list[int], seq_length: int, seed: int, *more) -> str:
    """A digest of everything that determines the order of samples, so that no stale index file is
    read.
    """
    digest = hashlib.sha256(tokens.document_sizes.tobytes())
    digest.update(repr((bounds, seq_length, seed, len(tokens.ids), *more)).encode())
    return digest.hexdigest()[:12]


def digest_of_order(shuffle_idx: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(shuffle_idx[:65536])).hexdigest()[:12]
