"""Token files to batches, by paddle_impl's datasets and PretrainLoader."""

import tempfile
from pathlib import Path

import numpy as np

from data_tools.splits import split_bounds
from data_tools.token_files.token_file import TokenFile
from paddle_impl.config.options import split_shares
from paddle_impl.data.blend import split_dataset
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.pretrain import PretrainDataset
from paddle_impl.data.sources import Datasets
from parity.cases import SPLIT_BOUNDS, Case, text
from parity.compare import Point, Trace


def batches(case: Case, dtype: str) -> Trace:
    """Every micro batch of every rank and step, checksums of each data order, bounds of splits."""
    trace: Trace = {
        point: np.array(split_bounds(split_shares(point.tensor), point.step))
        for point in SPLIT_BOUNDS
    }
    with tempfile.TemporaryDirectory() as directory:
        prefix, second = Path(directory) / "code", Path(directory) / "second"
        text.write_token_file(prefix)
        text.write_token_file(second, seed=12)
        for _ in ("built", "read again from the index files, which must not be mixed up"):
            both = TokenFile.open(prefix), TokenFile.open(second)
            for name in text.ORDERS | text.VARIANTS:
                for rank in range(text.RANKS):
                    trace |= _of_rank(name, rank, both, case.config.eos_token_id)
    return trace | text.checksums(trace)


def _dataset(name: str, both: tuple[TokenFile, TokenFile], end: int):
    if name in text.ORDERS:
        split, wanted, seed = text.ORDERS[name]
        return PretrainDataset(
            both[0], split, split_bounds(split_shares(text.SPLIT_FLAG), len(both[0])),
            seq_length=text.WINDOW, num_samples=wanted, seed=seed,
        )
    split, wanted, seed, options = text.VARIANTS[name]
    weights = options.get("weights", (1,))
    return split_dataset(
        Datasets(both[: len(weights)], weights), split, split_shares(text.SPLIT_FLAG),
        seq_length=text.WINDOW, num_samples=wanted, seed=seed, pad_id=end, notes=[],
        order=options.get("order", "paddlenlp"), packing=options.get("packing", "windows"),
    )


def _of_rank(name: str, rank: int, both: tuple[TokenFile, TokenFile], end: int) -> Trace:
    _, wanted, *_ = (text.ORDERS | text.VARIANTS)[name]
    dataset = _dataset(name, both, end)
    loader = PretrainLoader(dataset, text.BATCH, end, text.ACCUMULATION, rank, text.RANKS)
    trace: Trace = {
        Point(step + 1, "batch", f"{name}: rank {rank}, micro batch {micro}: {part}"): values
        for step in range(wanted // (text.BATCH * text.ACCUMULATION * text.RANKS))
        for micro, batch in enumerate(loader.step(step))
        for part, values in batch.items()
    }
    trace[Point(0, "epochs", name)] = np.array(
        [dataset.epoch(samples) for samples in text.SAMPLES_SEEN]
    )
    for number, batch in enumerate(loader.first(10**6)):
        for part, values in batch.items():
            trace[Point(0, "batch", f"{name}: rank {rank}, first {number}: {part}")] = values
    return trace
