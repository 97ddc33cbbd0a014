"""What the cases finetune and lora of memory.py train on, and the flags of run_finetune.py."""

import json
import sys
from pathlib import Path

import numpy as np
from data_common import run

WRITE_WEIGHTS = Path(__file__).resolve().parent / "train_sides" / "write_weights.py"


def write(folder: Path, model: str, length: int, count: int) -> None:
    """Weights of the model, and so many pairs of random ids that have `length` tokens together."""
    run([sys.executable, WRITE_WEIGHTS, model, folder / "base", 1, length])
    vocabulary = json.loads((folder / "base" / "config.json").read_text())["vocab_size"]
    ids = np.random.default_rng(0).integers(0, vocabulary, (count, length)).tolist()
    (folder / "pairs.jsonl").write_text("".join(
        json.dumps({"context": row[: length // 2], "completion": row[length // 2 :]}) + "\n"
        for row in ids))


def flags(folder: Path, batch: int, steps: int) -> list:
    """The rate is so small that a whole model and one with an adapter have the same losses."""
    return ["--task", "e2e", "--init_checkpoint", folder / "base", "--work_dir", folder / "run",
            "--train_data", folder / "pairs.jsonl", "--valid_data", folder / "pairs.jsonl",
            "--train_batch_size", batch, "--max_step", steps, "--lr", 1e-9, "--clip", 1.0,
            "--log_interval", 1, "--report_to", "none", "--device", "cpu"]
