"""One split of a dataset, or of a blend of several datasets by weights.

As in PaddleNLP and Megatron-LM (BlendedDataset of megatron.core), each dataset of a blend provides
its share of the samples and half a percent more, in its own order.
"""

import hashlib
import math

import numpy as np

from data_tools.index_helper import build_blending_indices
from data_tools.splits import split_bounds
from data_tools.token_files.token_file import TokenFile
from paddle_impl.data.index_files import VERSION, open_or_build
from paddle_impl.data.packed import PackedDataset
from paddle_impl.data.pretrain import PretrainDataset, Samples, has_samples
from paddle_impl.data.sources import Datasets

SURPLUS = 1.005  # factor of each dataset's share: the blend may take a few more from one


def split_dataset(
    data: Datasets,
    split: str,
    shares: list[float],
    *,
    seq_length: int,
    num_samples: int,
    seed: int,
    order: str,
    packing: str,
    pad_id: int,
    notes: list[str],
):
    """At least `num_samples` samples of one split, or None where it is empty.

    shares: of train, valid and test documents; each dataset is divided by them. order, packing:
    values of --data_order and --packing. notes: gets warnings for the user.
    """
    def part(tokens: TokenFile, samples: int) -> PretrainDataset | PackedDataset:
        options = {"seq_length": seq_length, "num_samples": samples, "seed": seed}
        bounds = split_bounds(shares, len(tokens))
        if packing == "windows":
            return PretrainDataset(tokens, split, bounds, order=order, **options)
        return PackedDataset(tokens, split, bounds, tail=packing, pad_id=pad_id, **options)

    filled = [
        has_samples(tokens, split, split_bounds(shares, len(tokens)), packing, seq_length)
        for tokens in data.tokens
    ]
    if not any(filled):
        return None
    if len(data.tokens) == 1:
        dataset = part(data.tokens[0], num_samples)
    else:
        notes += [f"the {split} split of {tokens.prefix} is empty, the others take its share"
                  for tokens, fits in zip(data.tokens, filled, strict=True) if not fits]
        weights = np.array(data.weights) * filled
        weights = weights / weights.sum()
        dataset = BlendedDataset(
            [part(tokens, math.ceil(num_samples * weight * SURPLUS))
             for tokens, weight in zip(data.tokens, weights, strict=True) if weight],
            weights[filled], num_samples,
        )
    notes += dataset.notes
    return dataset


class BlendedDataset(Samples):
    """`size` samples of several datasets, each in its own order: `dataset[i]` is (T + 1,) int64.

    weights: float64 [datasets], summing to one. Sample i comes from the dataset that is furthest
    behind its weight. The order of the first samples does not depend on `size`.
    """

    def __init__(self, datasets: list, weights: np.ndarray, size: int):
        self.datasets, self.weights, self.size = datasets, weights, size
        self.seq_length = datasets[0].seq_length
        self.order_key = _digest(weights.tolist(), [part.order_key for part in datasets])
        self.notes = [note for part in datasets for note in part.notes]
        key = _digest(VERSION, weights.tolist(), size)
        stem = f"{datasets[0].tokens.prefix}_gpt_{datasets[0].split}_blend_indexmap_{size}ns_{key}"
        self.dataset_index, self.dataset_sample_index = open_or_build(
            stem, key, ("dataset", "dataset_sample"),
            lambda: build_blending_indices(weights, size), self.notes,
        )

    def __len__(self) -> int:
        return self.size

    def read(self, index: int, out: np.ndarray) -> int:
        """Write sample `index` to `out` (T + 1,); returns the number of tokens before padding."""
        part = self.datasets[self.dataset_index.item(index)]
        return part.read(self.dataset_sample_index.item(index), out)

    def sample_order(self) -> str:
        """Digest of the order within each dataset; the order of datasets is in `order_key`."""
        return _digest([part.sample_order() for part in self.datasets])

    def epoch(self, samples: int) -> int:
        """Whole passes over the most repeated dataset (rounding may shift it by a sample)."""
        return max(part.epoch(int(samples * weight))
                   for part, weight in zip(self.datasets, self.weights, strict=True))


def _digest(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
