"""Held-out perplexity of code completion by how dev.jsonl was drawn: same code, model and steps.

`window` is the legacy split: dev windows overlap those that were trained on. `file` holds out whole
files, `file, deduplicated` also leaves out files that are nearly those of another. Each is trained
from scratch by run_finetune.py, for about --steps steps of 16 records: whole epochs.

    .venv/bin/python scripts/bench/completion_splits.py --output_dir DIR [--input_path DIR ...]
        [--steps 600] [--stride 64] [--model code-mini] [--device cpu]

The default code is the standard library's encodings, which are much alike, json, email, http and
xml. Needs rensa (pip install rensa==0.5.0). Data and runs stay in --output_dir; the same command
goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
import sysconfig
from pathlib import Path

from data_common import Part, machine, run, say

SPLITS = {
    "window": ("--split", "window"),
    "file": ("--split", "file"),
    "file, deduplicated": ("--split", "file", "--deduplicate", "near"),
}
PACKAGES = ("encodings", "json", "email", "http", "xml")
BATCH = 16
TRAINING = ("--accumulation_steps", 1, "--max_seq_length", 256, "--lr", 3e-3, "--adam_beta2", 0.95,
            "--hidden_dropout_prob", 0, "--attention_probs_dropout_prob", 0, "--scheduler",
            "cosine", "--warmup_ratio", 0.05, "--early_stop", 0, "--report_to", "none")


def main() -> None:
    stdlib = Path(sysconfig.get_path("stdlib"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--input_path", nargs="+", default=[stdlib / name for name in PACKAGES])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--stride", type=int, default=64)
    parser.add_argument("--model", default="code-mini")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    rows = [_row(name, options) for name in SPLITS]
    notes = [f"{machine()}; {options.model} from scratch, windows of 254 tokens every "
             f"{options.stride}."]
    header = ("split", "records trained on", "held out", "steps", "loss in training",
              "held-out loss", "held-out perplexity")
    print(Part("what the split is worth", notes, header, rows).markdown())


def _row(name: str, options: argparse.Namespace) -> tuple[str, ...]:
    """Make the data, train, and read the last loss and evaluation."""
    folder = options.output_dir / name.replace(", ", "_")
    data, output = folder / "data", folder / "run"
    if not (data / "json" / "meta.json").is_file():
        say(f"{name}: data")
        run([sys.executable, "-m", "data_tools.create_completion_data", "--output_dir", data,
             "--input_path", *options.input_path, "--languages", "python", "--segment_len", 254,
             "--stride", options.stride, "--vocab_size", 2048, "--quiet", *SPLITS[name]])
    records = json.loads((data / "json" / "meta.json").read_text())["records"]
    per_epoch = -(-records["train"] // BATCH)
    epochs = max(1, round(options.steps / per_epoch))
    if not (output / f"model_{epochs * per_epoch}").is_dir():
        say(f"{name}: {epochs} epochs of {per_epoch} steps")
        run([sys.executable, "run_finetune.py", "--model_select", options.model, "--dataset_name",
             data, "--output_dir", output, "--num_epochs_train", epochs,
             "--per_gpu_train_batch_size", BATCH, "--evaluation_steps", 10**6, "--save_steps", 200,
             "--logging_freq", 20, "--device", options.device, "--restore_training", *TRAINING])
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    trained = next(line["loss"] for line in reversed(lines) if "loss" in line)
    found = next(line for line in reversed(lines) if "valid_loss" in line)
    return (name, f"{records['train']:,}", f"{records['dev']:,}", f"{epochs * per_epoch:,}",
            f"{trained:.3f}", f"{found['valid_loss']:.3f}", f"{found['valid_perplexity']:.2f}")


if __name__ == "__main__":
    main()
