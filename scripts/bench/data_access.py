"""Samples per second, random order, file in the page cache: this project's dataset and PaddleNLP's.

Each side is a process of its own; they take turns of half a second. See data_peers/access_side.py
for what each of them returns.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from data_common import PEERS, Part, Side, in_turns, median, times_faster
from data_end_to_end import paddlenlp_problem
from data_index import document_sizes

SEQ_LENGTH = 1024
TOKENS, QUICK_TOKENS = 100_000_000, 3_000_000
VOCAB_SIZE = 50257
OURS = "this project, PretrainDataset[i]: tokens"
CAUSAL = "PaddleNLP's causal_dataset.GPTDataset, as installed: tokens"
BATCHES = "this project, batches of 8: inputs, labels, loss mask"
KINDS = {
    OURS: "ours",
    BATCHES: "ours_batches",
    "PaddleNLP's example GPTDataset, restated: five arrays, attention mask too": "example",
    "the same of later versions: without the attention mask": "example_no_mask",
}
HEADER = ("side: what it returns", "samples/s", "[i] is times as fast", "batches are times as fast")


def measure(work: Path, rounds: int, quick: bool, paddlenlp_python: str | None) -> Part:
    folder = work / "access"
    prefix = folder / "random"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    documents = _write_tokens(prefix, QUICK_TOKENS if quick else TOKENS)
    commands = {name: [sys.executable, PEERS / "access_side.py", kind, prefix, SEQ_LENGTH]
                for name, kind in KINDS.items()}
    missing = paddlenlp_problem(paddlenlp_python, "paddlenlp.data.causal_dataset")
    if not missing:
        commands[CAUSAL] = [paddlenlp_python, PEERS / "access_side.py", "causal", prefix,
                            SEQ_LENGTH]
    sides: dict[str, Side] = {}
    try:
        for name, command in commands.items():
            sides[name] = Side(command)
        digests = {side.ready["digest"] for side in sides.values()} - {None}
        if len(digests) != 1:
            raise ValueError("the sides read different tokens, so their speeds do not compare")
        speeds = in_turns({name: side.turn for name, side in sides.items()}, rounds, "access")
    finally:
        for side in sides.values():
            side.close()
        shutil.rmtree(folder)
    return _part(speeds, documents, rounds, quick, missing,
                 {name: side.ready["numpy"] for name, side in sides.items()})


def _part(speeds: dict[str, list[float]], documents: int, rounds: int, quick: bool,
          missing: str | None, numpy: dict[str, str]) -> Part:
    seconds = {name: [1 / speed for speed in own] for name, own in speeds.items()}
    rows, figures = [], {}
    for name, own in speeds.items():
        faster = [times_faster(seconds[side], seconds[name]) for side in (OURS, BATCHES)]
        rows.append((f"{name} (numpy {numpy[name]})", f"{median(own):,.0f}",
                     *(f"{times:.2f}" for times in faster)))
        figures[name] = {"samples_per_s": own, "numpy": numpy[name],
                         "ours_faster_by": faster[0], "our_batches_faster_by": faster[1]}
    if missing:
        rows.append((CAUSAL, missing, "", ""))
        figures[CAUSAL] = missing
    notes = [
        f"{QUICK_TOKENS if quick else TOKENS:,} random uint16 tokens in {documents:,} documents, "
        f"samples of {SEQ_LENGTH}, each dataset in its own shuffled order, one process each, "
        f"median of {rounds} alternated rounds.",
        "The restated class follows the GPT examples of PaddleNLP, which its wheel does not "
        "bring; it read the same tokens as this project's." +
        ("" if missing else " causal_dataset.GPTDataset is the wheel's own; it also shuffles "
         "documents, so its samples are others."),
    ]
    return Part("Access to samples", notes, HEADER, rows, figures)


def _write_tokens(prefix: Path, tokens: int) -> int:
    """Write random tokens as PaddleNLP's pair of files; returns the number of documents.

    Lengths are those of the index benchmark. The files are then in the page cache.
    """
    sizes = document_sizes(1)[: tokens // 1000]
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes, dtype=np.int64), tokens))]
    random = np.random.default_rng(0)
    ids = random.integers(0, VOCAB_SIZE, int(sizes.sum(dtype=np.int64)), dtype=np.uint16)
    np.save(f"{prefix}_ids.npy", ids)
    np.savez(f"{prefix}_idx.npz", lens=sizes, docs=np.arange(len(sizes) + 1, dtype=np.int64))
    return len(sizes)
