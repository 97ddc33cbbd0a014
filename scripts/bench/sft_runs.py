"""Instruction tuning with the settings of the source's runs A to D, and on the responses alone.

    .venv/bin/python scripts/bench/sft_runs.py --data INSTRUCTIONS.json --output_dir DIR
        [--base CHECKPOINT] [--epochs 2] [--lr_scale 1] [--device cpu]

A: rate 5e-5, batches of 5. B: rate 5e-6. C, D: batches of 10 and of 16. response: A with the loss
of the responses alone. All have a weight decay of 0.1 and evaluate every 5 steps on 5 batches. The
source's model is GPT-2 medium; --lr_scale multiplies the rates, for smaller models. Without --base
the model is a new one of four layers, with a tokenizer of 2048 tokens that is trained on the same
texts. It prints a Markdown table, and writes sft_runs.md, sft_runs.json and sft_runs.png, with the
losses over steps and over tokens. Runs stay in --output_dir; the same command goes on after an
interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from data_common import ROOT, Part, machine, run, say

sys.path.insert(0, str(ROOT))
from data_tools.instructions.prompts import prompt_text  # noqa: E402
from data_tools.instructions.records import Instruction, read_instructions  # noqa: E402
from data_tools.tokenizing.tokenizer import Tokenizer  # noqa: E402
from paddle_impl.tracking import METRICS  # noqa: E402
from paddle_impl.tracking.curves import best_of, draw_runs, read_curves  # noqa: E402

RUNS = {  # name -> rate, batch, loss on
    "A": (5e-5, 5, "all"), "B": (5e-6, 5, "all"), "C": (5e-5, 10, "all"), "D": (5e-5, 16, "all"),
    "response": (5e-5, 5, "response"),
}
NEW_MODEL = {"n_layer": 4, "n_embd": 128, "n_head": 4, "n_positions": 256}
VOCABULARY = 2048
RESPONSES = "instruction-data-with-response.json"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="a checkpoint to tune, in place of a new model")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr_scale", type=float, default=1.0)
    parser.add_argument("--max_dec_len", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    start = ("--init_from", options.base) if options.base else _new_model(options)
    curves = {name: _tuned(options, start, name) for name in RUNS}
    drawn = {f"{name}: rate {RUNS[name][0] * options.lr_scale:g}, batch {RUNS[name][1]}"
             f"{', responses alone' * (RUNS[name][2] != 'all')}": found
             for name, found in curves.items()}
    draw_runs(options.output_dir / "sft_runs.png", drawn, "valid_response_loss", over_tokens=True)
    part = _table(options, curves)
    (options.output_dir / "sft_runs.json").write_text(json.dumps(part.figures, indent=1))
    (options.output_dir / "sft_runs.md").write_text(part.markdown())
    print(part.markdown())


def _new_model(options: argparse.Namespace) -> tuple:
    folder, shape = options.output_dir / "tokenizer", options.output_dir / "shape.json"
    texts = [prompt_text("alpaca", one.instruction, one.input) + one.output
             for one in read_instructions(options.data) if isinstance(one, Instruction)]
    tokenizer = Tokenizer.train(texts, VOCABULARY)
    tokenizer.save(folder)
    end = tokenizer.eos_token_id
    shape.write_text(json.dumps(NEW_MODEL | {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "bos_token_id": end,
        "vocab_size": tokenizer.vocab_size, "eos_token_id": end}))
    return "--model_name_or_path", shape, "--tokenizer", folder


def _tuned(options: argparse.Namespace, start: tuple, name: str) -> dict:
    """The curves of a run, which is begun, or goes on."""
    folder, (rate, batch, loss_on) = options.output_dir / f"run_{name}", RUNS[name]
    if not (folder / RESPONSES).is_file():
        say(f"{folder.name} ...")
        run([sys.executable, ROOT / "run_finetune.py", "--task", "sft", *start, "--resume",
             "--data", options.data, "--output_dir", folder, "--num_epochs_train", options.epochs,
             "--lr", rate * options.lr_scale, "--per_gpu_train_batch_size", batch, "--loss_on",
             loss_on, "--save_steps", 100, "--max_dec_len", options.max_dec_len, "--device",
             options.device])
    return read_curves(folder / METRICS)


def _table(options: argparse.Namespace, curves: dict) -> Part:
    rows, figures = [], {}
    for name, found in curves.items():
        rate, batch, loss_on = RUNS[name]
        answers = json.loads((options.output_dir / f"run_{name}" / RESPONSES).read_text())
        equal = sum(one["output"].strip() == one["model_response"] for one in answers)
        best_step, best = best_of(found["valid_response_loss"])
        figures[name] = {
            "rate": rate * options.lr_scale, "batch": batch, "loss_on": loss_on,
            "steps": max(found["loss"]), "tokens": max(found["tokens"].values()),
            "best_valid_response_loss": best, "best_step": best_step,
            "test_loss": [*found["test_loss"].values()][-1],
            "test_response_loss": [*found["test_response_loss"].values()][-1],
            "equal": equal, "answers": len(answers)}
        own = figures[name]
        rows.append([name, f"{own['rate']:g}", str(batch), loss_on, f"{own['steps']:,}",
                     f"{own['tokens']:,.0f}", f"{best:.3f} (step {best_step})",
                     f"{own['test_loss']:.3f}", f"{own['test_response_loss']:.3f}",
                     f"{equal} of {len(answers)}"])
    model = options.base.name if options.base else "a new model of four layers"
    return Part(
        "Runs A to D of instruction tuning",
        [f"{machine()}; {model}, epochs: {options.epochs}; losses in nats a token."],
        ["run", "rate", "batch", "loss on", "steps", "tokens", "best held-out response loss",
         "test loss", "test response loss", "responses as the reference"], rows, figures)


if __name__ == "__main__":
    main()
