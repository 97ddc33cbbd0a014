"""Token files to batches, by PretrainDataset and PretrainLoader."""

import tempfile
from pathlib import Path

import numpy as np

from data_tools.token_file import TokenFile
from paddle_impl.config.options import split_shares
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.pretrain import PretrainDataset, split_bounds
from parity.cases import SPLIT_BOUNDS, Case, text
from parity.compare import Point, Trace


def batches(case: Case, dtype: str) -> Trace:
    """Every micro batch of every rank and step of each order; the bounds of some splits."""
    trace: Trace = {
        point: np.array(split_bounds(split_shares(point.tensor), point.step))
        for point in SPLIT_BOUNDS
    }
    with tempfile.TemporaryDirectory() as directory:
        prefix = Path(directory) / "code"
        text.write_token_file(prefix)
        for _ in ("built", "read again from the index files, which must not be mixed up"):
            tokens = TokenFile.open(prefix)
            for name in text.ORDERS:
                for rank in range(text.RANKS):
                    trace |= _of_rank(name, rank, tokens, case.config.eos_token_id)
    return trace


def _of_rank(name: str, rank: int, tokens: TokenFile, end: int) -> Trace:
    split, wanted, seed = text.ORDERS[name]
    dataset = PretrainDataset(
        tokens, split, split_bounds(split_shares(text.SPLIT_FLAG), len(tokens)),
        seq_length=text.WINDOW, num_samples=wanted, seed=seed,
    )
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
