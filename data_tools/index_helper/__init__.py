"""The sample index of a split: index.py describes it, the two .cpp files compute it, and tests
compare them with reference.py."""

try:
    from data_tools.index_helper._core import build_blending_indices, build_sample_idx
    from data_tools.index_helper._samples import copy_sample
except ImportError as error:
    raise ImportError(
        "the compiled index helper is missing, old, or was built for another Python: "
        f"run bash scripts/setup.sh ({error})"
    ) from error

from data_tools.index_helper.index import (
    ORDERS,
    build_doc_idx,
    build_indices,
    num_epochs,
    separate_last_epoch,
    shuffle,
    shuffle_blocks,
    shuffle_idx,
)

__all__ = [
    "ORDERS",
    "build_blending_indices",
    "build_doc_idx",
    "build_indices",
    "build_sample_idx",
    "copy_sample",
    "num_epochs",
    "separate_last_epoch",
    "shuffle",
    "shuffle_blocks",
    "shuffle_idx",
]
