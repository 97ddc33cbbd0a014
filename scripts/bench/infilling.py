"""What fill-in-the-middle gives and costs: two models, trained with --fim_rate 0.5 and without.

The same code, steps and model from scratch. It reports how many single lines of held-out files each
model restores (the one without is given the text before the gap only, and so is the other one for
comparison), and the held-out loss of both on plain text from left to right.

    .venv/bin/python scripts/bench/infilling.py --output_dir DIR [--input_path DIR ...] [--epochs 3]
        [--texts 200] [--model code-mini] [--device cpu]

The default code is a part of the standard library that is regular enough for a small model: what
completion_splits.py takes. Files that are nearly those of another are left out. Data and runs stay
in --output_dir; the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
import sysconfig
from pathlib import Path

from completion_splits import PACKAGES
from data_common import ROOT, Part, machine, run, say

sys.path.insert(0, str(ROOT))
from data_tools.completion.languages import PAD  # noqa: E402
from data_tools.tokenizing.tokenizer import Tokenizer  # noqa: E402
from paddle_impl import checkpoint  # noqa: E402
from paddle_impl.data.supervised import SupervisedLoader  # noqa: E402
from paddle_impl.finetuning.completion import RecordExamples  # noqa: E402
from paddle_impl.objectives import CAUSAL_LM  # noqa: E402
from paddle_impl.parallel.ranks import Ranks  # noqa: E402
from paddle_impl.training.measuring import measure  # noqa: E402

RATES = {"plain": 0.0, "fim": 0.5}
TOKENS = 96  # of a window: short, so that so small a model can learn to see both sides of a gap
STRIDE = 24  # a window is cut once, so more windows are more different gaps to learn from
BATCH = 32
ASKED = (("fim", "spm"), ("fim", "psm"), ("plain", "left_to_right"), ("fim", "left_to_right"))
TRAINING = (
    "--max_seq_length", 128, "--per_gpu_train_batch_size", BATCH, "--accumulation_steps", 1, "--lr",
    3e-3, "--adam_beta2", 0.95, "--weight_decay", 0.1, "--hidden_dropout_prob", 0,
    "--attention_probs_dropout_prob", 0, "--scheduler", "cosine", "--warmup_ratio", 0.05,
    "--evaluation_steps", 500, "--save_steps", 500, "--logging_freq", 50, "--early_stop", 0,
    "--report_to", "none", "--restore_training")


def main() -> None:
    stdlib = Path(sysconfig.get_path("stdlib"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--input_path", nargs="+", default=[stdlib / name for name in PACKAGES])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--texts", type=int, default=200,
                        help="held-out windows; each of their lines is a gap")
    parser.add_argument("--model", default="code-mini")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    models = {name: _trained(name, options) for name in RATES}
    gaps = options.output_dir / "gaps.jsonl"
    _write_gaps(gaps, options)
    losses = {name: _plain_loss(model, options) for name, model in models.items()}
    rows = []
    for name, mode in ASKED:
        found = _asked(models[name], gaps, mode, options)
        rows.append((f"--fim_rate {RATES[name]}", mode.replace("_", " "), f"{found['gaps']:,}",
                     f"{found['exact_match']:.1%}", f"{found['edit_similarity']:.3f}",
                     f"{losses[name]:.4f}"))
    notes = [f"{machine()}; {options.model} from scratch, {options.epochs} epochs."]
    header = ("trained with", "asked", "single lines", "restored exactly", "edit similarity",
              "held-out loss of plain text")
    print(Part("fill-in-the-middle", notes, header, rows).markdown())


def _trained(name: str, options: argparse.Namespace) -> Path:
    """The last checkpoint of a run on the data of this rate."""
    data, output = _data(name, options), options.output_dir / f"run_{name}"
    meta = json.loads((data / "json" / "meta.json").read_text())
    path = output / f"model_{options.epochs * -(-meta['records']['train'] // BATCH)}"
    if not path.is_dir():
        say(f"{name}: training to {path.name}")
        run([sys.executable, "run_finetune.py", "--model_select", options.model, "--dataset_name",
             data, "--output_dir", output, "--num_epochs_train", options.epochs, "--device",
             options.device, *TRAINING])
    return path


def _data(name: str, options: argparse.Namespace) -> Path:
    folder = options.output_dir / f"data_{name}"
    if not (folder / "json" / "meta.json").is_file():
        say(f"{name}: data")
        tokenizer = ("--vocab_size", 1024) if name == "plain" else (
            "--tokenizer", options.output_dir / "data_plain" / "json" / "tokenizer")
        run([sys.executable, "-m", "data_tools.create_completion_data", "--output_dir", folder,
             "--input_path", *options.input_path, "--languages", "python", "--segment_len", TOKENS,
             "--stride", STRIDE, "--deduplicate", "near", "--fim_rate", RATES[name], "--quiet",
             *tokenizer])
    return folder


def _write_gaps(path: Path, options: argparse.Namespace) -> None:
    """Held-out windows in HumanEval's form, whole lines only, evenly from all files."""
    data = options.output_dir / "data_plain" / "json"
    tokenizer = Tokenizer.load(data / "tokenizer")
    records = (data / "dev.jsonl").read_text().splitlines()
    step = max(1, len(records) // options.texts)
    with open(path, "w", encoding="utf-8") as file:
        for number, line in enumerate(records[::step][: options.texts]):
            whole = tokenizer.decode(json.loads(line)["token_ids"]).split("\n")[1:-1]
            text = "\n".join(whole) + "\n"
            if text.strip():
                file.write(json.dumps({"task_id": f"held out/{number}", "prompt": "",
                                       "entry_point": "", "canonical_solution": text,
                                       "test": ""}) + "\n")


def _plain_loss(model: Path, options: argparse.Namespace) -> float:
    """Nats a token of dev.jsonl without transformed windows, which both models understand."""
    data = options.output_dir / "data_plain" / "json"
    tokenizer = Tokenizer.load(data / "tokenizer")
    with RecordExamples(data / "dev.jsonl", tokenizer, 128) as records:
        loader = SupervisedLoader(records, 16, tokenizer.special_tokens[PAD])
        say(f"{model}: loss of {len(records):,} plain windows")
        return measure(checkpoint.load_model(model), CAUSAL_LM, loader.first(len(records)),
                       Ranks())["loss"]


def _asked(model: Path, gaps: Path, mode: str, options: argparse.Namespace) -> dict:
    output = options.output_dir / f"{model.parent.name}_{mode}.json"
    say(f"{model}: gaps, {mode}")
    run([sys.executable, "run_evaluation.py", "--model_name_or_path", model, "--infill", gaps,
         "--infill_mode", mode, "--infill_spans", 1, "--language", "python", "--max_dec_len", 48,
         "--device", options.device, "--output_file", output])
    return json.loads(output.read_text())["single_line"]


if __name__ == "__main__":
    main()
