"""Preference optimization with two settings, from one model after a short instruction tuning.

    .venv/bin/python scripts/bench/dpo_runs.py --data PREFERENCES.json --output_dir DIR
        [--base CHECKPOINT] [--sft_epochs 8] [--lr_scale 40] [--device cpu]

Instruction tuning learns the `output` of each pair; then both runs begin from the tuned model, with
the rates, weight decays and betas that rasbt's dpo.py is used with. Without --base the model is a
new one of four layers, with a tokenizer of 2048 tokens that is trained on the same texts; its rates
are --lr_scale times those, which are for GPT-2 medium. It prints a Markdown table of both runs, and
writes dpo_runs.md, dpo_runs.json and dpo_runs.png. Runs stay in --output_dir; the same command goes
on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from data_common import ROOT, Part, machine, run, say

sys.path.insert(0, str(ROOT))
from data_tools.instructions.prompts import prompt_text  # noqa: E402
from data_tools.instructions.records import read_preferences  # noqa: E402
from data_tools.tokenizing.tokenizer import Tokenizer  # noqa: E402
from paddle_impl import checkpoint  # noqa: E402
from paddle_impl.finetuning.dpo import DPO  # noqa: E402
from paddle_impl.tracking import METRICS  # noqa: E402
from paddle_impl.tracking.curves import draw_panels, read_curves  # noqa: E402

RUNS = {"lr 5e-5, beta 0.2": (5e-5, 0.1, 0.2), "lr 5e-6, beta 0.1": (5e-6, 0.01, 0.1)}
NEW_MODEL = {"n_layer": 4, "n_embd": 128, "n_head": 4, "n_positions": 256}
VOCABULARY = 2048
COLUMNS = ("loss", "accuracy", "chosen_reward", "rejected_reward", "margin", "unscaled_margin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="a checkpoint to tune, in place of a new model")
    parser.add_argument("--sft_epochs", type=int, default=8)
    parser.add_argument("--sft_lr", type=float, default=1e-3)
    parser.add_argument("--lr_scale", type=float, default=40.0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    tuned = _tuned(options)
    curves = {name: _aligned(options, tuned, number, *values)
              for number, (name, values) in enumerate(RUNS.items())}
    ((file, panels),) = DPO.pictures.items()
    assert file == "rewards.png"
    draw_panels(options.output_dir / "dpo_runs.png", curves, panels)
    part = _table(options, curves)
    (options.output_dir / "dpo_runs.json").write_text(json.dumps(part.figures, indent=1))
    (options.output_dir / "dpo_runs.md").write_text(part.markdown())
    print(part.markdown())


def _finetune(folder: Path, device: str, *words) -> Path:
    """The newest checkpoint of a run, which is begun, or goes on."""
    say(f"{folder.name} ...")
    run([sys.executable, ROOT / "run_finetune.py", "--output_dir", folder, "--device", device,
         "--resume", "--keep_best", "false", "--save_steps", 200, "--report_to", "none", *words])
    return checkpoint.newest(folder)


def _tuned(options: argparse.Namespace) -> Path:
    start = ("--init_from", options.base)
    if options.base is None:
        folder, shape = options.output_dir / "tokenizer", options.output_dir / "shape.json"
        texts = [prompt_text("alpaca", one.prompt.instruction, one.prompt.input) + answer
                 for one in read_preferences(options.data) for answer in (one.chosen, one.rejected)]
        tokenizer = Tokenizer.train(texts, VOCABULARY)
        tokenizer.save(folder)
        end = tokenizer.eos_token_id
        shape.write_text(json.dumps(NEW_MODEL | {
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "bos_token_id": end,
            "vocab_size": tokenizer.vocab_size, "eos_token_id": end}))
        start = ("--model_name_or_path", shape, "--tokenizer", folder)
    return _finetune(
        options.output_dir / "sft", options.device, "--task", "sft", *start, "--data", options.data,
        "--num_epochs_train", options.sft_epochs, "--lr", options.sft_lr, "--train_batch_size", 8,
        "--loss_on", "response", "--eval_freq", 50, "--max_dec_len", 32)


def _aligned(
    options: argparse.Namespace, tuned: Path, number: int, lr: float, decay: float, beta: float
) -> dict:
    """The curves of a run: one epoch, batches of 4, everything else as --task dpo has it."""
    scale = options.lr_scale if options.base is None else 1.0
    folder = options.output_dir / f"dpo_{number + 1}"
    _finetune(folder, options.device, "--task", "dpo", "--init_from", tuned, "--data", options.data,
              "--lr", lr * scale, "--weight_decay", decay, "--beta", beta, "--eval_freq", 25)
    return read_curves(folder / METRICS)


def _table(options: argparse.Namespace, curves: dict) -> Part:
    figures = {name: {column: [*found[f"test_{column}"].values()][-1] for column in COLUMNS}
               for name, found in curves.items()}
    rows = [[name, *(f"{values[column]:.4f}" for column in COLUMNS)]
            for name, values in figures.items()]
    scale = options.lr_scale if options.base is None else 1.0
    return Part(
        "Both runs, measured on the test part",
        [f"Machine: {machine()}.", f"Rates are {scale:g} times those in the names;",
         f"{options.sft_epochs} epochs of instruction tuning before. Loss 0.6931, accuracy 0.5 and "
         "rewards of 0 are where each run begins."],
        ["run", *(column.replace("_", " ") for column in COLUMNS)], rows, figures)


if __name__ == "__main__":
    main()
