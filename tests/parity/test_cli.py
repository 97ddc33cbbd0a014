"""`python -m parity`: exit code, console and report files."""

import json
import os
from functools import partial

import pytest

from paddle_impl.optim import schedule
from parity import coverage, ladder, report
from parity.__main__ import main
from parity.mutants import load_table
from parity.report import kills


def test_parity_exits_with_zero_and_writes_both_reports(tmp_path, capsys):
    assert main(["--only", "schedule", "loss", "--jobs", "1", "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["loss", "schedule"]
    assert coverage.lines(coverage.recorded())[0] in lines
    assert f"planted bugs: {kills.line(kills.told(load_table()))}" in lines
    assert lines[-2].startswith("compared: ")
    assert lines[-1].startswith("PARITY: ")
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["passed"] is True
    assert {"torch", "paddlepaddle"} <= written["versions"].keys()
    assert {r["rung"] for r in written["results"]} == {"schedule", "loss"}
    assert all(r["budget_used"] <= 1 for r in written["results"])
    assert "| loss | B |" in (tmp_path / "report.md").read_text()


def test_processes_that_share_the_rungs_find_what_one_finds(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # set for the processes, and put back
    found = {}
    for jobs in ("1", "2"):
        words = ["--only", "initial", "schedule", "--jobs", jobs, "--output", str(tmp_path / jobs)]
        assert main(words) == 0
        found[jobs] = json.loads((tmp_path / jobs / "report.json").read_text())
    assert len(found["1"]["results"]) > 100
    assert found["1"]["results"] == found["2"]["results"]
    assert found["1"]["rungs"] == found["2"]["rungs"]


def test_a_process_that_dies_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Called with the name of a rung, it puts another program in the place of the process.
    monkeypatch.setattr(ladder, "_results", partial(os.execlp, "false", "false"))
    with pytest.raises(SystemExit) as stop:
        main(["--only", "initial", "schedule", "--jobs", "2", "--output", str(tmp_path)])
    assert stop.value.code == 2
    assert "a process died" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "message"), [
    (["--jobs", "0"], "--jobs must be at least 1, got 0"),
    (["--checkpoint", "none", "--jobs", "2"], "--checkpoint runs in one process"),
])
def test_a_number_of_processes_that_cannot_be_is_refused(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_a_divergence_exits_with_one_and_is_told_first(tmp_path, capsys, monkeypatch):
    right = schedule.lr_at
    monkeypatch.setattr(
        schedule, "lr_at", lambda step, **more: right(step, **more) * (1.001 if step == 7 else 1)
    )
    assert main(["--only", "schedule", "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert told[0].startswith("FIRST DIVERGENCE  schedule: step 7, learning rate, lr, index []: ")
    assert "step 6, learning rate" in told[1]
    assert told[-1].startswith("NO PARITY: ")
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is False
    assert "NO PARITY" in (tmp_path / "report.md").read_text()


def test_nothing_compared_is_no_parity(tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "climb", lambda *_, **more: iter(()))
    assert main(["--jobs", "1", "--output", str(tmp_path)]) == 1
    assert not report.passed([])


def test_list_names_every_rung(capsys):
    assert main(["--list"]) == 0
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == [rung.name for rung in ladder.RUNGS]


def test_an_unknown_rung_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--only", "logist"])
    assert stop.value.code == 2
    assert "logits" in capsys.readouterr().err


def test_the_process_itself_fails(command, tmp_path):
    broken = (
        "import runpy, paddle_impl.optim.schedule as s; s.lr_at = lambda step, **options: 1e-3; "
        "runpy.run_module('parity', run_name='__main__')"
    )
    done = command("-c", broken, "--only", "schedule", "--output", tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith("NO PARITY: ")
