"""Token files to batches, with every data order written from its definition.

PaddleNLP's order joins the documents of a split, epoch after epoch, cuts them into windows of L + 1
tokens, each of which shares one token with the next, and shuffles the windows. Megatron-LM's order
shuffles the documents before that. Packing cuts each document into blocks of L tokens, which are
shuffled in each epoch. A blend takes each sample from the dataset that is furthest behind its
share.
"""

import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import BatchSampler

from parity.cases import SPLIT_BOUNDS, Batch, Case, text
from parity.compare import Point, Trace

_PADDING = -1  # marks padding in the rows of blocks, until `parts` replaces it


def batches(case: Case, dtype: str) -> Trace:
    """Every micro batch of every rank and step, checksums of each data order, bounds of splits."""
    trace: Trace = {
        point: np.array(_bounds(point.tensor, point.step)) for point in SPLIT_BOUNDS
    }
    with tempfile.TemporaryDirectory() as directory:
        both = []
        for name, seed in (("code", 11), ("second", 12)):
            text.write_token_file(Path(directory) / name, seed=seed)
            both.append(read(Path(directory) / name))
    for name, (split, wanted, seed, *options) in (text.ORDERS | text.VARIANTS).items():
        parts_of_split = [tokens[slice(*text.SPLITS[split])] for tokens in both]
        samples, epochs = _taken(parts_of_split, wanted, seed, **dict(*options))
        taken = _batched(samples)
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
    return trace | text.checksums(trace)


def read(prefix: Path) -> tuple[torch.Tensor, ...]:
    """The documents, each (n,) int64."""
    ids = torch.from_numpy(np.load(f"{prefix}_ids.npy").astype(np.int64))
    index = np.load(f"{prefix}_idx.npz")
    sentences = torch.split(ids, index["lens"].tolist())
    starts = index["docs"].tolist()  # the first sentence of each document
    return tuple(torch.cat(sentences[a:b]) for a, b in zip(starts, starts[1:], strict=False))


def micro_batches(documents, split: str, wanted: int, seed: int) -> list[torch.Tensor]:
    """Micro batches (BATCH, L + 1), in the order in which ranks take them; a short one is dropped.
    """
    return _batched(_windows(documents[slice(*text.SPLITS[split])], wanted, seed))


def parts(batch: torch.Tensor, end: int) -> Batch:
    """Inputs and shifted labels; -100 where the input is an end token or the label is padding."""
    inputs = torch.where(batch == _PADDING, end, batch)[:, :-1]
    nothing = (inputs == end) | (batch[:, 1:] == _PADDING)
    return {"input_ids": inputs.numpy(),
            "labels": batch[:, 1:].masked_fill(nothing, -100).numpy()}


def _batched(samples: torch.Tensor) -> list[torch.Tensor]:
    return [torch.stack([samples[i] for i in batch])
            for batch in BatchSampler(range(len(samples)), text.BATCH, drop_last=True)]


def _taken(datasets, wanted: int, seed: int, weights=(1,), packing="windows", order="paddlenlp"):
    """(samples (n, L + 1) of one dataset or a blend, epochs after text.SAMPLES_SEEN samples)."""
    shares = np.array(weights) / sum(weights)
    parts, passes = [], np.zeros(len(text.SAMPLES_SEEN), int)
    for documents, share in zip(datasets, shares, strict=False):
        asked = math.ceil(wanted * share * 1.005) if len(shares) > 1 else wanted
        seen = (np.array(text.SAMPLES_SEEN) * share).astype(int)
        if packing == "windows":
            parts.append(_windows(documents, asked, seed, order == "megatron"))
            made = seen * text.WINDOW // sum(map(len, documents))
        else:
            blocks = _blocks(documents, packing == "keep")
            random = np.random.RandomState(seed)
            epochs = [random.permutation(len(blocks)) for _ in range(-(-asked // len(blocks)))]
            parts.append(blocks[np.concatenate(epochs)])
            made = seen // len(blocks)
        passes = np.maximum(passes, made)
    if len(parts) == 1:
        return parts[0], passes
    rows, had = [], np.zeros(len(parts), int)
    for number in range(wanted):
        which = int(np.argmax(shares * max(number, 1) - had))
        rows.append(parts[which][had[which]])
        had[which] += 1
    return torch.stack(rows), passes


def _windows(documents, wanted: int, seed: int, shuffle_documents: bool = False) -> torch.Tensor:
    """Samples (n, L + 1) in training order: all of the epochs that `wanted` samples take."""
    length, tokens = text.WINDOW, sum(map(len, documents))
    epochs = 1
    while (epochs * tokens - 1) // length < wanted:
        epochs += 1
    before = ((epochs - 1) * tokens - 1) // length
    # If less than 80 % of the last epoch is needed, it is shuffled by itself.
    alone = epochs > 1 and wanted - before < int(0.8 * ((tokens - 1) // length))
    random = np.random.RandomState(seed)
    numbers = np.tile(np.arange(len(documents)), epochs)
    if shuffle_documents:
        last = [(epochs - 1) * len(documents)] if alone else []
        for block in np.split(numbers, last):
            random.shuffle(block)
    windows = torch.cat([documents[number] for number in numbers]).unfold(0, length + 1, length)
    blocks = np.split(np.arange(len(windows), dtype=np.uint32), [before] if alone else [])
    for block in blocks:
        random.shuffle(block)
    return windows[torch.from_numpy(np.concatenate(blocks).astype(np.int64))]


def _blocks(documents, keep_tails: bool) -> torch.Tensor:
    """Blocks (n, L + 1) of the documents; shorter ones, at a document's end, are padded."""
    length = text.WINDOW
    cut = [block for document in documents for block in document.split(length)
           if len(block) == length or (keep_tails and len(block))]
    return torch.stack([torch.nn.functional.pad(block, (0, length + 1 - len(block)),
                                                value=_PADDING) for block in cut])


def _bounds(flag: str, documents: int) -> list[int]:
    """Bounds of the splits in documents: rounded shares, minus what they exceed the total by."""
    shares = [float(share) for share in flag.split(",")]
    counts = [int(round(share / sum(shares) * documents)) for share in shares]
    ends = np.cumsum(counts)
    return [0, *(ends - (ends[-1] - documents)).tolist()]
