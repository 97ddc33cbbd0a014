"""hyperparams.json beside a run: given back to the command it repeats the run bit for bit."""

import json
from contextlib import contextmanager

import pytest

import run_pretrain
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import pretraining_run
from paddle_impl.training import hyperparams


@pytest.fixture
def flags(tiny_data, tmp_path):
    return {"model_type": "gpt", "model_name_or_path": "code-mini", "n_layer": 1, "n_embd": 32,
            "input_dir": str(tiny_data), "output_dir": str(tmp_path / "run"), "split": "80,15,5",
            "max_seq_len": 16, "micro_batch_size": 2, "max_steps": 3, "save_steps": 2,
            "eval_iters": 1, "eval_freq": 2, "device": "cpu", "report_to": "none",
            "peak_tflops": 1.0, "max_lr": 0.01, "decay_steps": 0, "warmup_rate": 0.5, "seed": 5}


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def told(directory) -> dict:
    return json.loads((directory / "hyperparams.json").read_text())


def test_the_run_is_repeated_from_its_file(flags, tmp_path):
    first, again = tmp_path / "run", tmp_path / "again"
    config = PretrainConfig.of(**flags)
    pretraining_run(config).train()
    assert told(first) == config.flat()
    given = [str(first / "hyperparams.json"), "--output_dir", str(again)]
    assert run_pretrain.parse(given).flat() == config.flat() | {"output_dir": str(again)}
    run_pretrain.main(given)
    assert content(again / "model_3") == content(first / "model_3")
    assert told(again) == told(first) | {"output_dir": str(again)}
    assert (again / "ck_report.json").read_bytes() == (first / "ck_report.json").read_bytes()
    report = json.loads((first / "ck_report.json").read_text())
    assert report["latest"]["step"] == 3
    assert report["best"]["loss_dev"] <= report["latest"]["loss_dev"]


def test_a_resumed_run_is_repeated_too(flags, tmp_path):
    """Longer than the first launch, and resumed from a checkpoint that is named by its folder."""
    pretraining_run(PretrainConfig.of(**flags | {"max_steps": 2, "decay_steps": 3})).train()
    shape = {"n_layer": None, "n_embd": None}
    for steps, name in ((3, "code-mini"), (4, str(tmp_path / "run" / "model_3"))):
        pretraining_run(PretrainConfig.of(**flags | shape | {
            "max_steps": steps, "decay_steps": 3, "resume": name == "code-mini",
            "model_name_or_path": name})).train()
    file = tmp_path / "run" / "hyperparams.json"
    assert told(tmp_path / "run") == PretrainConfig.of(**flags | {
        "max_steps": 4, "decay_steps": 3}).flat()
    run_pretrain.main([str(file), "--output_dir", str(tmp_path / "again")])
    assert content(tmp_path / "again" / "model_4") == content(tmp_path / "run" / "model_4")


def test_it_is_written_only_where_it_changes(tmp_path):
    file = tmp_path / "hyperparams.json"
    hyperparams.write(tmp_path, {"seed": 1, "init_from": "a", "resume": False}, resumed=False)
    before = file.stat()
    hyperparams.write(tmp_path, {"seed": 1, "init_from": "b", "resume": True}, resumed=True)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    hyperparams.write(tmp_path, {"seed": 1, "init_from": "b", "resume": True}, resumed=False)
    assert told(tmp_path) == {"seed": 1, "init_from": "b", "resume": False}
    file.write_text("{")
    hyperparams.write(tmp_path, {"seed": 2, "init_from": "c", "resume": True}, resumed=True)
    assert told(tmp_path) == {"seed": 2, "init_from": "c", "resume": False}
    assert [path.name for path in tmp_path.iterdir()] == ["hyperparams.json"]


def test_a_full_disk_stops_a_new_run_only(tmp_path, monkeypatch):
    @contextmanager
    def full(path):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(hyperparams, "whole_file", full)
    with pytest.raises(OSError, match="No space left"):
        hyperparams.write(tmp_path, {"seed": 1}, resumed=False)
    (told,) = hyperparams.write(tmp_path, {"seed": 1}, resumed=True)
    assert "cannot be written (No space left on device)" in told


def test_a_mistake_writes_none(flags, tmp_path):
    with pytest.raises(ValueError, match="is beyond the model's 8 positions"):
        pretraining_run(PretrainConfig.of(**flags | {"n_positions": 8}))
    assert not (tmp_path / "run").exists()
