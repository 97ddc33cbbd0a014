"""The token file and the documents that a sample comes from, for messages."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from paddle_impl.data.blend import BlendedDataset
from paddle_impl.data.packed import PackedDataset
from paddle_impl.data.pretrain import PretrainDataset

_RANGES = 8  # most ranges in a message; a batch may hold thousands of documents


def origin(dataset, sample: int) -> tuple[str, list[int]]:
    """(prefix of the token file, document numbers) of a sample; ("", []) if unknown."""
    if isinstance(dataset, BlendedDataset):
        part = dataset.datasets[dataset.dataset_index.item(sample)]
        return origin(part, dataset.dataset_sample_index.item(sample))
    if isinstance(dataset, PackedDataset):
        block = dataset.shuffle_idx.item(sample)
        return dataset.tokens.prefix, [int(dataset.blocks[block, 0])]
    if isinstance(dataset, PretrainDataset):
        window = dataset.shuffle_idx.item(sample)
        first, last = dataset.sample_idx[window : window + 2, 0].tolist()
        return dataset.tokens.prefix, dataset.doc_idx[first : last + 1].tolist()
    return "", []


def described(dataset, samples: range) -> str:
    """A phrase such as: samples 8 to 9 (documents 3, 5-6 of data/code). Numbers count from 0."""
    documents: dict[str, set[int]] = {}
    for sample in samples:
        prefix, found = origin(dataset, sample)
        documents.setdefault(prefix, set()).update(found)
    documents.pop("", None)
    numbers = f"s {samples[0]} to {samples[-1]}" if len(samples) > 1 else f" {samples[0]}"
    parts = [f"{_listed(found)} of {prefix}" for prefix, found in documents.items()]
    return f"sample{numbers}" + (f" ({'; '.join(parts)})" if parts else "")


def _listed(numbers: Iterable[int]) -> str:
    """A phrase such as: document 3; or: documents 3, 5-6 and 12 more."""
    numbers = sorted(numbers)
    shown, named = [], 0
    for first, last in _runs(numbers):
        if len(shown) == _RANGES:
            break
        shown.append(str(first) if first == last else f"{first}-{last}")
        named += last - first + 1
    more = f" and {len(numbers) - named} more" if named < len(numbers) else ""
    return f"document{'s' if len(numbers) > 1 else ''} {', '.join(shown)}{more}"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The first and last of each run of consecutive numbers."""
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]
