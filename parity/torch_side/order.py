"""Token files to batches, read independently: PaddleNLP's order from its definition.

Documents of a split end to end, epoch after epoch; windows of L + 1 tokens that share one token
with the next; windows shuffled (requirements C11 to C17 of PaddleNLP's GPT pretraining).
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import BatchSampler

from parity.cases import SPLIT_BOUNDS, Batch, Case, text
from parity.compare import Point, Trace


def batches(case: Case, dtype: str) -> Trace:
    """Every micro batch of every rank and step of each order; the bounds of some splits."""
    trace: Trace = {
        point: np.array(_bounds(point.tensor, point.step)) for point in SPLIT_BOUNDS
    }
    with tempfile.TemporaryDirectory() as directory:
        text.write_token_file(Path(directory) / "code")
        tokens = read(Path(directory) / "code")
    for name, (split, wanted, seed) in text.ORDERS.items():
        taken = micro_batches(tokens, split, wanted, seed)
        per_epoch = sum(map(len, tokens[slice(*text.SPLITS[split])]))
        epochs = [samples * text.WINDOW // per_epoch for samples in text.SAMPLES_SEEN]
        trace[Point(0, "epochs", name)] = np.array(epochs)
        for number in range(len(taken) // text.RANKS):
            for rank in range(text.RANKS):
                batch = taken[number * text.RANKS + rank]
                for part, values in parts(batch, case.config.eos_token_id).items():
                    at = f"{name}: rank {rank}, first {number}: {part}"
                    trace[Point(0, "batch", at)] = values
        per_step = text.ACCUMULATION * text.RANKS
        for step in range(wanted // (per_step * text.BATCH)):
            for micro in range(text.ACCUMULATION):
                for rank in range(text.RANKS):
                    batch = taken[step * per_step + micro * text.RANKS + rank]
                    for part, values in parts(batch, case.config.eos_token_id).items():
                        at = f"{name}: rank {rank}, micro batch {micro}: {part}"
                        trace[Point(step + 1, "batch", at)] = values
    return trace


def read(prefix: Path) -> tuple[torch.Tensor, ...]:
    """The documents, each (n,) int64."""
    ids = torch.from_numpy(np.load(f"{prefix}_ids.npy").astype(np.int64))
    index = np.load(f"{prefix}_idx.npz")
    sentences = torch.split(ids, index["lens"].tolist())
    starts = index["docs"].tolist()  # the first sentence of each document
    return tuple(torch.cat(sentences[a:b]) for a, b in zip(starts, starts[1:], strict=False))


def micro_batches(documents, split: str, wanted: int, seed: int) -> list[torch.Tensor]:
    """(BATCH, L + 1) each, in the order in which ranks take them; short ones are dropped."""
    samples = _samples(documents[slice(*text.SPLITS[split])], wanted, seed)
    return [torch.stack([samples[i] for i in batch])
            for batch in BatchSampler(range(len(samples)), text.BATCH, drop_last=True)]


def parts(batch: torch.Tensor, end: int) -> Batch:
    """Inputs and labels, shifted; no loss where the input is an end token."""
    inputs, labels = batch[:, :-1], batch[:, 1:]
    mask = torch.where(inputs == end, 0.0, 1.0)
    return {"input_ids": inputs.numpy(), "labels": labels.numpy(), "loss_mask": mask.numpy()}


def _samples(documents: tuple[torch.Tensor, ...], wanted: int, seed: int) -> torch.Tensor:
    """(samples, L + 1): all of as many epochs as `wanted` samples take, in training order."""
    length = text.WINDOW
    one = torch.cat(documents)
    epochs = 1
    while (epochs * len(one) - 1) // length < wanted:
        epochs += 1
    windows = one.repeat(epochs).unfold(0, length + 1, length)
    before = ((epochs - 1) * len(one) - 1) // length
    # A last epoch of which less than 80 % is wanted is shuffled by itself.
    alone = epochs > 1 and wanted - before < int(0.8 * ((len(one) - 1) // length))
    random = np.random.RandomState(seed)
    blocks = np.split(np.arange(len(windows), dtype=np.uint32), [before] if alone else [])
    for block in blocks:
        random.shuffle(block)
    return windows[torch.from_numpy(np.concatenate(blocks).astype(np.int64))]


def _bounds(flag: str, documents: int) -> list[int]:
    """Bounds of the splits in documents: shares rounded, the excess taken off all of them."""
    shares = [float(share) for share in flag.split(",")]
    counts = [int(round(share / sum(shares) * documents)) for share in shares]
    ends = np.cumsum(counts)
    return [0, *(ends - (ends[-1] - documents)).tolist()]
