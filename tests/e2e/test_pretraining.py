"""run_pretrain.py as a whole: its output, resuming, and equal results with parallelism."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from paddle_impl.optim.schedule import lr_at


def records(output_dir):
    return [json.loads(line) for line in (output_dir / "metrics.jsonl").read_text().splitlines()]


def losses(output_dir):
    keys = ("step", "loss", "grad_norm", "lr", "valid_loss", "test_loss")
    return [{k: r[k] for k in keys if k in r} for r in records(output_dir)]


def assert_same_files(first, second):
    names = sorted(file.name for file in first.iterdir())
    assert names == sorted(file.name for file in second.iterdir())
    assert {"model.safetensors", "optimizer.safetensors", "tokenizer.json"} <= set(names)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_metrics_tell_every_step(pretrain, tmp_path, capsys):
    pretrain(tmp_path / "run")
    found = records(tmp_path / "run")
    steps = [r for r in found if "loss" in r]
    assert [r["step"] for r in steps] == [1, 2, 3, 4, 5, 6]
    for r in steps:
        assert r["tokens"] == r["step"] * 2 * 32
        assert r["tokens_per_s"] > 0 and r["grad_norm"] > 0
        assert r["lr"] == lr_at(r["step"], max_lr=1e-3, min_lr=1e-4, warmup_rate=0.5, decay_steps=6)
    assert [r["step"] for r in found if "valid_loss" in r] == [2, 4, 6]
    assert [r["step"] for r in found if "test_loss" in r] == [6]
    assert steps[-1]["loss"] < steps[0]["loss"]
    out = capsys.readouterr().out
    assert "global step 6, epoch: 0, batch: 5, loss: " in out
    assert "learning rate: 1.00000e-04" in out and "peak memory" in out


def test_visualdl_shows_the_curves(pretrain, tmp_path):
    """The server a user starts, asked what its page asks."""
    pretrain(tmp_path / "run")
    logdir = tmp_path / "run" / "train_log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("visualdl")), "--logdir", str(logdir),
         "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        def ask(path, deadline=60):
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            for _ in range(2 * deadline):
                with contextlib.suppress(OSError):
                    url = f"http://127.0.0.1:{port}/app/api/{path}"
                    if (data := json.load(opener.open(url, timeout=5))["data"]) is not None:
                        return data
                time.sleep(0.5)
            raise TimeoutError(path)

        (tags,) = ask("scalar/tags")["tags"]
        shown = ask(f"scalar/list?run={urllib.parse.quote(str(logdir))}&tag=loss")
    finally:
        server.kill()
        server.wait()
    assert {"loss", "learning_rate", "grad_norm", "valid_loss", "test_loss"} <= set(tags)
    logged = [(r["step"], r["loss"]) for r in records(tmp_path / "run") if "loss" in r]
    assert [step for _, step, _ in shown] == [step for step, _ in logged]
    assert [value for *_, value in shown] == pytest.approx([v for _, v in logged], rel=1e-6)


@pytest.mark.parametrize("how", ["--resume", "--model_name_or_path"])
def test_a_resumed_run_equals_an_uninterrupted_one(pretrain, tmp_path, how):
    """Dropout is on: 6 steps = 3 steps + resume + 3 steps, in every digit and every byte."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    pretrain(whole)
    shutil.copytree(whole, cut)
    shutil.rmtree(cut / "model_6")
    (cut / ".model_6.tmp").mkdir()
    pretrain(cut, *(["--resume"] if how == "--resume" else [how, cut / "model_3"]))
    assert losses(cut) == losses(whole)
    assert_same_files(cut / "model_6", whole / "model_6")
    assert not list(cut.glob(".*.tmp"))


def test_resume_without_a_checkpoint_starts_from_the_beginning(pretrain, tmp_path):
    pretrain(tmp_path / "plain")
    pretrain(tmp_path / "fresh", "--resume")
    assert losses(tmp_path / "fresh") == losses(tmp_path / "plain")


def test_a_checkpoint_can_start_a_run_elsewhere(pretrain, tmp_path):
    pretrain(tmp_path / "first")
    source = tmp_path / "first" / "model_3"
    pretrain(tmp_path / "second", "--model_name_or_path", source)
    assert losses(tmp_path / "second")[0]["step"] == 4
    assert_same_files(tmp_path / "first" / "model_6", tmp_path / "second" / "model_6")


def test_weights_alone_start_at_step_one(pretrain, tmp_path):
    pretrain(tmp_path / "first")
    weights = tmp_path / "weights"
    shutil.copytree(tmp_path / "first" / "model_6", weights)
    for name in ("optimizer.safetensors", "training_state.json"):
        (weights / name).unlink()
    pretrain(tmp_path / "second", "--model_name_or_path", weights)
    first, second = losses(tmp_path / "first"), losses(tmp_path / "second")
    assert second[0]["step"] == 1
    assert second[0]["loss"] < first[0]["loss"]


def test_another_seed_gives_another_run(pretrain, tmp_path):
    pretrain(tmp_path / "a")
    pretrain(tmp_path / "b", "--seed", 5)
    assert losses(tmp_path / "a")[0]["loss"] != losses(tmp_path / "b")[0]["loss"]


def test_check_accuracy_switches_dropout_off(pretrain, tmp_path):
    pretrain(tmp_path / "a", "--check_accuracy")
    pretrain(tmp_path / "b", "--hidden_dropout_prob", 0, "--attention_probs_dropout_prob", 0)
    pretrain(tmp_path / "c")
    assert losses(tmp_path / "a") == losses(tmp_path / "b") != losses(tmp_path / "c")


def test_accumulation_and_two_processes_are_neutral(pretrain, flags, command, tmp_path):
    """4 samples a step: as one batch, as four micro batches, and as two launched processes."""
    pretrain(tmp_path / "one", "--micro_batch_size", 4, "--check_accuracy")
    pretrain(tmp_path / "four", "--micro_batch_size", 1, "--global_batch_size", 4,
             "--check_accuracy")
    process = command(
        "-m", "paddle.distributed.launch", "--nproc_per_node", 2, "--log_dir", tmp_path / "log",
        "run_pretrain.py", *flags(tmp_path / "two", "--micro_batch_size", 2, "--check_accuracy"),
    )
    assert process.returncode == 0, process.stdout + process.stderr
    # Not the evaluations: as in PaddleNLP, eval_iters counts batches of micro_batch_size.
    one, four, two = (
        [(r["loss"], r["grad_norm"]) for r in records(tmp_path / name) if "loss" in r]
        for name in ("one", "four", "two")
    )
    assert len(one) == 6
    for other in (four, two):
        for a, b in zip(one, other, strict=True):
            assert a == pytest.approx(b, rel=2e-5)


@pytest.mark.parametrize(("model", "parameters"), [
    ("code-mini", 1_088_256), pytest.param("gpt2-en", 124_439_808, marks=pytest.mark.exhaustive),
])
def test_the_source_documents_command_line_runs(model, parameters, command, tiny_data, tmp_path):
    """Its flags in its spelling; device, steps and sizes suit a small machine."""
    line = """run_pretrain.py
        --model_type gpt --model_name_or_path MODEL --input_dir DATA --output_dir OUT
        --max_seq_len 32 --micro_batch_size 1 --max_lr 0.00015 --min_lr 0.00001
        --max_steps 2 --save_steps 100000 --decay_steps 320000 --weight_decay 0.01
        --warmup_rate 0.01 --grad_clip 1.0 --logging_freq 1 --eval_freq 1000 --device cpu
        --eval_iters 1"""
    places = {"MODEL": model, "DATA": tiny_data, "OUT": tmp_path / "output"}
    process = command("-u", *(places.get(word, word) for word in line.split()))
    assert process.returncode == 0, process.stderr
    assert "learning rate: 4.68750e-08" in process.stdout
    assert (tmp_path / "output" / "model_2" / "model.safetensors").stat().st_size > 4 * parameters


def test_an_extended_run_says_when_its_samples_are_shuffled_again(pretrain, tmp_path, capsys):
    few = ("--split", "10,85,5", "--eval_iters", 0)  # documents: an epoch is short
    pretrain(tmp_path / "run", *few)
    capsys.readouterr()
    pretrain(tmp_path / "run", *few, "--max_steps", 8, "--resume")
    assert "shuffles again" not in capsys.readouterr().out  # still within the first epoch
    pretrain(tmp_path / "run", *few, "--max_steps", 40, "--save_steps", 500, "--resume")
    assert "warning: --max_steps 40 asks for more epochs" in capsys.readouterr().out


def test_the_source_documents_multi_card_line_runs_without_a_card(command, flags, tmp_path):
    """CUDA_VISIBLE_DEVICES and --gpus as it has them, --device cpu: two processes over gloo."""
    process = command(
        "-m", "paddle.distributed.launch", "--gpus", "2,3", "--log_dir", tmp_path / "log",
        "run_pretrain.py", *flags(tmp_path / "run", "--max_steps", 2), CUDA_VISIBLE_DEVICES="2,3",
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert records(tmp_path / "run")[0]["tokens"] == 2 * 2 * 32


def test_data_without_a_tokenizer(pretrain, tiny_data, tmp_path, capsys):
    """PaddleNLP's files have none beside them: say so, or take the one the flags name."""
    data = tmp_path / "data"
    data.mkdir()
    for name in ("code_ids.npy", "code_idx.npz"):
        shutil.copy(tiny_data / name, data)
    pretrain(tmp_path / "without", "--input_dir", data)
    assert "warning: the data has no tokenizer" in capsys.readouterr().out
    assert not (tmp_path / "without" / "model_6" / "tokenizer.json").exists()
    files = tiny_data / "code_tokenizer"
    pretrain(tmp_path / "with", "--input_dir", data, "--vocab_file", files / "vocab.json",
             "--merge_file", files / "merges.txt")
    assert "no tokenizer" not in capsys.readouterr().out
    assert (tmp_path / "with" / "model_6" / "tokenizer.json").exists()
