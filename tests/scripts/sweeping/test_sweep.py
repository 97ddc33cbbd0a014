"""Sweeps as a whole: rows, scores, failures, samplers, and a sweep of real runs."""

import csv
import os

import pytest


def test_every_run_is_a_row_and_the_best_is_told(sweep, grid_file, tmp_path, rows, starts, capsys):
    path = grid_file({"lr": [0.1, 0.3, 2], "style": ["plain", "diverge", "crash", "silent"]},
                     flags={"width": 2})
    assert sweep(path, "--workers", 2) == 0
    found = rows(tmp_path / "sweep")
    assert len(found) == 12
    assert [row["flags"] for row in found[:3]] == [
        {"width": 2, "lr": lr, "style": "plain"} for lr in (0.3, 0.1, 2.0)]
    best = found[0]
    assert (best["status"], best["exit_code"], best["error"], best["steps"]) == ("done", 0, None, 3)
    assert best["best_valid_loss"] == pytest.approx(1.0)  # of step 2
    assert best["last_valid_loss"] == pytest.approx(1 / 2 + 1 / 3 + 0.5)
    assert best["last_loss"] == pytest.approx(1 / 2 + 1 / 3)
    assert best["last_lr"] == pytest.approx(0.1)
    by_style = {row["flags"]["style"]: row for row in found[3:]}
    assert all(row["status"] == "failed" and row["best_valid_loss"] is None for row in found[3:])
    assert by_style["diverge"]["error"] == "run_stand_in.py: error: step 4: loss nan"
    assert by_style["diverge"]["exit_code"] == 2 and by_style["diverge"]["steps"] == 3
    assert by_style["crash"]["error"] == "RuntimeError: the stand-in crashes"
    assert "metrics.jsonl" in by_style["silent"]["error"]
    with open(tmp_path / "sweep/sweep.csv", newline="") as file:
        sheet = list(csv.DictReader(file))
    assert [row["run"] for row in sheet] == [row["run"] for row in found]
    assert sheet[0]["--lr"] == "0.3" and float(sheet[0]["best_valid_loss"]) == pytest.approx(1.0)
    assert (tmp_path / "sweep/sweep.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "12 of 12 runs are over, 9 failed" in said
    assert f"best: run {best['run']}: valid_loss 1 (lr 0.3, style plain)" in said
    assert sweep(path) == 0  # nothing is left to do
    assert all(noted == ["new"] for noted in starts(tmp_path / "sweep").values())


def test_a_larger_grid_runs_only_what_is_new(sweep, grid_file, tmp_path, rows, starts):
    assert sweep(grid_file({"lr": [0.1]})) == 0
    assert sweep(grid_file({"lr": [0.1, 0.2]})) == 0
    assert len(rows(tmp_path / "sweep")) == 2
    assert [*starts(tmp_path / "sweep").values()] == [["new"]] * 2


def test_another_score_orders_the_rows_without_a_run(sweep, grid_file, tmp_path, rows, starts):
    sweep(grid_file({"lr": [0.3, 1]}))
    sweep(grid_file({"lr": [0.3, 1]}, score="lr", greater_is_better=True))
    assert [row["best_lr"] for row in rows(tmp_path / "sweep")] == [1, 0.3]
    assert [*starts(tmp_path / "sweep").values()] == [["new"]] * 2


def test_failed_runs_are_run_again_only_if_asked(sweep, grid_file, tmp_path, starts):
    path = grid_file({"style": ["crash"]})
    assert sweep(path) == sweep(path) == 1
    assert sweep(path, "--retry_failed") == 1
    assert [*starts(tmp_path / "sweep").values()] == [["new", "resumed"]]


def test_a_run_that_had_ended_when_its_sweep_died_is_not_run_again(sweep, grid_file, tmp_path, rows,
                                                                    starts):
    path = grid_file({"lr": [0.1]}, flags={"max_steps": 3})
    assert sweep(path) == 0
    before = rows(tmp_path / "sweep")[0]
    (directory,) = {path.parent for path in (tmp_path / "sweep").glob("*/starts")}
    (directory / "result.json").unlink()
    (directory / "refuses").touch()
    assert sweep(path) == 0
    assert starts(tmp_path / "sweep")[directory.name] == ["new", "resumed"]
    (after,) = rows(tmp_path / "sweep")
    assert after | {"seconds": 0} == before | {"seconds": 0}


def test_a_run_that_is_stopped_from_outside_has_no_result(sweep, grid_file, tmp_path, capsys):
    assert sweep(grid_file({"style": ["stopped", "plain"]})) == 0
    said = capsys.readouterr().out
    assert "was stopped; start the sweep again" in said and "1 of 2 runs are over" in said


def test_the_best_run_can_be_repeated_from_its_settings(sweep, grid_file, tmp_path, rows, command):
    sweep(grid_file({"lr": [0.1, 0.2]}, flags={"names": ["a b", "-1"]}))
    best = tmp_path / "sweep" / rows(tmp_path / "sweep")[0]["run"]
    again = command("tests/scripts/sweeping/run_stand_in.py", best / "settings.json",
                    "--output_dir", tmp_path / "again")
    assert again.returncode == 0
    assert (tmp_path / "again/metrics.jsonl").read_bytes() == (best / "metrics.jsonl").read_bytes()


def test_mistakes_are_one_line_before_the_first_run(sweep, grid_file, tmp_path, capsys):
    for parameters, more, told in [
        ({"lr": [1]}, ["--set", "widht=3"], "no flag widht (the nearest one is width)"),
        ({"lr": [0, -1]}, [], "refuses every run: --lr must be positive, got 0.0"),
        ({"lr": [1]}, ["--preset", "f20"], "give either GRID.json or --preset"),
    ]:
        with pytest.raises(SystemExit, match="2"):
            sweep(grid_file(parameters), *more)
        assert told in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "sweep").exists()


def test_a_folder_of_another_command_is_refused(sweep, grid_file, tmp_path, capsys):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep/sweep.json").write_text('{"command": "run_other.py"}')
    with pytest.raises(SystemExit, match="2"):
        sweep(grid_file({"lr": [1]}))
    assert "holds a sweep of run_other.py" in capsys.readouterr().err


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
