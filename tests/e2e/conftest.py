"""Fixtures that start a short run on the tiny dataset, in this process or in others."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import run_finetune
import run_pretrain
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.checkpoint.plain import write_model
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM, initialize
from tests.e2e.jobs import Job, launcher

WORDS = {"sport": "goal ball team", "food": "soup bread salt", "code": "loop class byte"}
FILLER = "the of and to in is that it was for on are".split()
TRAIN = 90


def text_of(label: str, stream: np.random.Generator) -> str:
    words = stream.choice(FILLER, stream.integers(2, 9)).tolist()
    for word in stream.choice(WORDS[label].split(), 3).tolist():
        words.insert(int(stream.integers(len(words) + 1)), word)
    return " ".join(words)



@pytest.fixture(scope="session")
def flags(tiny_data):
    """The flags of a run of 6 steps; later ones win, so tests append theirs."""

    def build(output_dir, *more) -> list[str]:
        return [str(part) for part in (
            "--model_type", "gpt", "--model_name_or_path", "code-mini", "--input_dir", tiny_data,
            "--output_dir", output_dir, "--split", "80,15,5", "--max_seq_len", 32,
            "--micro_batch_size", 2, "--max_lr", 1e-3, "--min_lr", 1e-4, "--decay_steps", 6,
            "--warmup_rate", 0.5, "--weight_decay", 0.1, "--grad_clip", 1.0, "--max_steps", 6,
            "--save_steps", 3, "--eval_freq", 2, "--eval_iters", 2, "--device", "cpu", *more,
        )]

    return build


@pytest.fixture
def pretrain(flags):
    """Run run_pretrain.py's main in this process."""
    return lambda *arguments: run_pretrain.main(flags(*arguments))


@pytest.fixture
def start(tmp_path):
    """Start a command in the background; its processes are killed when the test ends."""
    started = []

    def begin(*argv, **environment) -> Job:
        started.append(Job(argv, tmp_path / f"console.{len(started)}", **environment))
        return started[-1]

    yield begin
    for job in started:
        job.end()


@pytest.fixture
def launch(start, tmp_path):
    """Start a script, run_pretrain.py unless told otherwise, in two processes of the launcher."""

    def begin(*arguments, script="run_pretrain.py", options=("--nproc_per_node", 2),
              **environment) -> Job:
        log_dir = ("--log_dir", tmp_path / "log")
        return start(*launcher(*options, *log_dir), script, *arguments, **environment)

    return begin


@pytest.fixture(scope="session")
def checkpoint(tiny_data, tmp_path_factory):
    """The checkpoint of a tiny model after 30 steps on tiny_data."""
    output = tmp_path_factory.mktemp("trained") / "run"
    run_pretrain.main([str(part) for part in (
        "--model_type", "gpt", "--model_name_or_path", "code-mini", "--input_dir", tiny_data,
        "--output_dir", output, "--split", "80,15,5", "--max_seq_len", 64, "--micro_batch_size", 4,
        "--max_lr", 3e-3, "--min_lr", 1e-4, "--decay_steps", 30, "--max_steps", 30,
        "--eval_iters", 1, "--device", "cpu", "--check_accuracy", "--grad_clip", 1.0,
        "--warmup_rate", 0.1, "--adam_beta2", 0.95,
    )])
    return output / "model_30"


@pytest.fixture(scope="session")
def two_ranks(flags, tmp_path_factory):
    """Folders `run` and `log` of an uninterrupted run of 12 steps in two processes."""
    folder = tmp_path_factory.mktemp("two_ranks")
    job = Job(
        [*launcher("--nproc_per_node", 2, "--log_dir", folder / "log"), "run_pretrain.py",
         *flags(folder / "run", "--max_steps", 12, "--save_steps", 2)], folder / "console",
    )
    try:
        assert job.wait() == 0, job.said()
    finally:
        job.end()
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory) -> Path:
    """train.csv, in which code is rare, valid.tsv, test.jsonl, and the language model `base`."""
    labelled = tmp_path_factory.mktemp("texts")
    stream = np.random.default_rng(5)
    labels = stream.choice(list(WORDS), TRAIN + 40, p=[0.45, 0.45, 0.1]).tolist()
    rows = [(label, text_of(label, stream)) for label in labels]
    with open(labelled / "train.csv", "w", newline="") as file:
        csv.writer(file).writerows([("kind", "body"), *rows[:TRAIN]])
    (labelled / "valid.tsv").write_text("".join(
        f"{text}\t{label}\n" for label, text in [("code", "loop and byte")] + rows[TRAIN:-20]))
    (labelled / "test.jsonl").write_text("".join(
        json.dumps({"kind": label, "body": text}) + "\n" for label, text in rows[-20:] + rows[:2]))
    tokenizer = Tokenizer.train([f"{text}\n" * 5 for _, text in rows], 320)
    end = tokenizer.eos_token_id
    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=32, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=32,
        bos_token_id=end, eos_token_id=end, embd_pdrop=0.5))
    initialize(model, 0)
    write_model(labelled / "base", model, tokenizer)
    return labelled


@pytest.fixture(scope="session")
def classify_flags(labelled):
    def build(output_dir, *more) -> list[str]:
        return [str(word) for word in (
            "--task", "classify", "--model_name_or_path", labelled / "base",
            "--output_dir", output_dir, "--train_texts", labelled / "train.csv",
            "--valid_texts", labelled / "train.csv", "--label_column", "kind", "--text_column",
            "body", "--lr", 1e-2, "--trainable_layers", "all", "--balance", "weights",
            "--batch_size", 6, "--num_epochs", 5, "--eval_freq", 15, "--save_steps", 15,
            "--logging_freq", 1, "--keep_checkpoints", 0, "--peak_tflops", 1, "--device", "cpu",
            *more)]

    return build


@pytest.fixture(scope="session")
def classifier_run(classify_flags, labelled, tmp_path_factory) -> Path:
    """The folder of a run of 75 steps, with a test split."""
    run = tmp_path_factory.mktemp("classifier") / "run"
    run_finetune.main(classify_flags(run, "--test_texts", labelled / "test.jsonl"))
    return run
