"""Sweeps by optuna, and one of real pretraining runs."""

import os

import pytest


def test_tpe_without_optuna_says_what_to_install(sweep, grid_file, script, monkeypatch, capsys):
    monkeypatch.setattr(script("sweeping.tpe").importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        sweep(grid_file({"lr": [1]}), "--sampler", "tpe", "--total", 2)
    assert "--sampler tpe needs optuna: pip install '.[sweep]'" in capsys.readouterr().err


def test_tpe_chooses_from_the_results(sweep, grid_file, tmp_path, rows, starts):
    pytest.importorskip("optuna")
    path = grid_file({"lr": {"low": 0.01, "high": 10}, "width": [1, 8]})
    assert sweep(path, "--sampler", "tpe", "--total", 8, "--workers", 2) == 0
    assert sweep(path, "--sampler", "tpe", "--total", 16, "--workers", 2) == 0
    found = rows(tmp_path / "sweep")
    assert len(found) == 16 and all(0.01 <= row["flags"]["lr"] <= 10 for row in found)
    assert [*starts(tmp_path / "sweep").values()] == [["new"]] * 16
    few = grid_file({"width": [1, 2, 3]}, flags={"lr": 1})
    assert sweep(few, "--sampler", "tpe", "--total", 9) == 0  # there are only three
    assert len(rows(tmp_path / "sweep")) == 19


@pytest.mark.long
def test_a_sweep_of_pretraining(sweep, grid_file, tmp_path, tiny_data, rows, monkeypatch):
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    path = grid_file({"max_lr": [0.0, 0.01]}, command="run_pretrain.py", flags={
        "model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": str(tiny_data),
        "split": "80,15,5", "max_seq_len": 16, "micro_batch_size": 2, "max_steps": 4,
        "eval_freq": 2, "eval_iters": 1, "min_lr": 0.0, "decay_steps": 0, "device": "cpu"})
    assert sweep(path, "--workers", 2) == 0
    better, worse = rows(tmp_path / "sweep")
    assert better["flags"]["max_lr"] == 0.01 and worse["flags"]["max_lr"] == 0
    assert better["status"] == worse["status"] == "done" and better["steps"] == 4
    assert better["best_valid_loss"] < worse["best_valid_loss"]
    assert worse["last_lr"] == 0 and (tmp_path / "sweep" / better["run"] / "model_4").is_dir()
    assert (tmp_path / "sweep" / better["run"] / "curves.png").exists()
