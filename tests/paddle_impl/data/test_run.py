"""Whole runs on blends, in Megatron's order and on packed blocks: trained and resumed."""

import json
import shutil

import numpy as np
import pytest

import run_evaluation
import run_pretrain
from data_tools.token_files.writer import TokenFileWriter
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import pretraining_run


@pytest.fixture
def other(tmp_path):
    """A second dataset without a tokenizer: forty documents of five tokens."""
    with TokenFileWriter(tmp_path / "other", 300) as writer:
        for start in range(40):
            writer.append(np.arange(start, start + 5))
    return tmp_path / "other"


@pytest.fixture
def flags(tmp_path):
    def build(data, *more, output="run") -> list[str]:
        return [str(part) for part in (
            "--model_type", "gpt", "--model_name_or_path", "code-mini", "--input_dir", data,
            "--output_dir", tmp_path / output, "--split", "80,15,5", "--max_seq_len", 16,
            "--micro_batch_size", 2, "--max_steps", 2, "--save_steps", 1, "--eval_iters", 1,
            "--device", "cpu", *more,
        )]

    return build


def config(data, tmp_path, **more) -> PretrainConfig:
    options = {"model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": str(data),
               "output_dir": str(tmp_path / "run"), "split": "80,15,5", "max_seq_len": 16,
               "micro_batch_size": 2, "max_steps": 3, "device": "cpu", "eval_iters": 1}
    return PretrainConfig.of(**(options | more))


def records(directory):
    keys = ("step", "loss", "grad_norm", "valid_loss", "test_loss")
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [{key: r[key] for key in keys if key in r} for r in map(json.loads, lines)]


def test_a_blend_resumes_as_if_it_had_not_stopped(flags, tiny_data, other, tmp_path, capsys):
    blend = f"0.3 {other} 0.7 {tiny_data}"
    run_pretrain.main(flags(blend))
    out = capsys.readouterr().out
    assert f"data blend 0.3 {other} 0.7 {tiny_data}/code, " in out and "warning" not in out
    shutil.copytree(tmp_path / "run", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "model_2")
    run_pretrain.main(flags(blend, "--resume", output="cut"))
    assert records(tmp_path / "cut") == records(tmp_path / "run")
    for name in ("model.safetensors", "tokenizer.json"):
        whole, cut = (tmp_path / run / "model_2" / name for run in ("run", "cut"))
        assert whole.read_bytes() == cut.read_bytes()
    shutil.rmtree(tmp_path / "cut" / "model_2")
    with pytest.raises(SystemExit):
        run_pretrain.main(flags(f"0.4 {other} 0.6 {tiny_data}", "--resume", output="cut"))
    assert "another order key" in capsys.readouterr().err


def test_every_dataset_of_a_blend_must_fit_the_model(flags, tiny_data, tmp_path, capsys):
    with TokenFileWriter(tmp_path / "large", 60000) as writer:
        for _ in range(40):
            writer.append(np.array([1, 50000]))
    with pytest.raises(SystemExit):
        run_pretrain.main(flags(f"1 {tiny_data} 1 {tmp_path}/large"))
    assert f"{tmp_path}/large_ids.npy holds ids from 0 to 50000" in capsys.readouterr().err


def test_every_dataset_of_a_blend_must_have_a_document_for_training(tiny_data, tmp_path):
    with TokenFileWriter(tmp_path / "one", 300) as writer:
        writer.append(np.arange(5))
    with pytest.raises(ValueError, match="one has no document for training: --split 1,9 of 1"):
        pretraining_run(config(f"1 {tiny_data} 1 {tmp_path}/one", tmp_path, split="1,9"))


@pytest.mark.parametrize("options", [
    {"data_order": "megatron"}, {"packing": "keep"}, {"packing": "drop"},
])
def test_options_reach_the_samples(options, tiny_data, tmp_path):
    plain, run = (pretraining_run(config(tiny_data, tmp_path, **more)) for more in ({}, options))
    batches = [run.task.loaders["train"].step(step)[0] for step in range(3)]
    for batch in batches:
        # Behind a block of 16 tokens there is padding, behind a window the next token.
        padded = (batch["labels"][:, -1] == -100).all()
        assert padded == ("packing" in options) and (batch["labels"] != -100).any()
    assert not np.array_equal(batches[0]["input_ids"],
                              plain.task.loaders["train"].step(0)[0]["input_ids"])


@pytest.mark.parametrize("packing", ["keep", "drop"])
def test_blocks_train_and_evaluate(flags, tiny_data, tmp_path, packing):
    run_pretrain.main(flags(tiny_data, "--packing", packing, "--eval_freq", 1))
    found = records(tmp_path / "run")
    for kind, steps in {"loss": [1, 2], "valid_loss": [1, 2], "test_loss": [2]}.items():
        assert [r["step"] for r in found if kind in r] == steps
        assert all(0 < r[kind] < 10 for r in found if kind in r)


def test_the_data_say_what_ends_their_documents(tmp_path):
    """No tokenizer, and the model's own end token, 0, is an ordinary one here."""
    with TokenFileWriter(tmp_path / "x", 300) as writer:
        for start in range(40):
            writer.append(np.array([0, start, start + 1, 250]))
        writer.meta = {"eos_token_id": 250}
    batch = pretraining_run(config(tmp_path / "x", tmp_path)).task.loaders["train"].micro_batch(0)
    assert ((batch["labels"] != -100) == (batch["input_ids"] != 250)).all()
    assert (batch["input_ids"] == 0).any() and (batch["input_ids"] == 250).any()


def test_held_out_batches_do_not_depend_on_the_length_of_the_run(tiny_data, tmp_path):
    batches = [
        pretraining_run(config(tiny_data, tmp_path, max_steps=steps, eval_freq=1, eval_iters=2))
        .task.loaders["valid"].micro_batch(1)["input_ids"].tolist() for steps in (3, 300)
    ]
    assert batches[0] == batches[1]


def test_a_damaged_index_is_told_once(flags, tiny_data, tmp_path, capsys):
    data = shutil.copytree(tiny_data, tmp_path / "data",
                           ignore=shutil.ignore_patterns("*_indexmap_*"))
    run_pretrain.main(flags(data))
    (order,) = data.glob("*_gpt_train_*_shuffle_idx.npy")
    order.write_bytes(order.read_bytes()[:-1])
    run_pretrain.main(flags(data, output="again"))
    warnings = [line for line in capsys.readouterr().out.splitlines() if "warning:" in line]
    assert len(warnings) == 1 and order.name in warnings[0] and "made again" in warnings[0]
    assert records(tmp_path / "again") == records(tmp_path / "run")


def test_a_blend_is_measured_one_dataset_at_a_time(flags, tiny_data, other, tmp_path, capsys):
    run_pretrain.main(flags(tiny_data, "--max_steps", 1))
    with pytest.raises(SystemExit):
        run_evaluation.main(["--model_name_or_path", str(tmp_path / "run" / "model_1"),
                             "--input_dir", f"1 {other} 1 {tiny_data}", "--device", "cpu"])
    assert "is a blend: name one of its datasets" in capsys.readouterr().err
