"""Sweeps that are stopped, killed, continued and shared."""

import signal
import time

import pytest


def until(condition, seconds: float = 60):
    """Wait until it holds, and return what it gives."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def waiting(folder, count: int):
    until(lambda: len(list(folder.glob("*/waits"))) == count)


def test_a_killed_sweep_goes_on_with_what_is_missing(begin, sweep, grid_file, tmp_path, starts,
                                                    rows):
    path = grid_file({"style": ["plain", "wait"]}, flags={"go": str(tmp_path / "go")})
    process = begin(path)
    waiting(tmp_path / "sweep", 1)
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    assert sweep(path) == 0
    assert sorted(starts(tmp_path / "sweep").values()) == [["new"], ["new", "resumed"]]
    assert [row["status"] for row in rows(tmp_path / "sweep")] == ["done", "done"]


def test_what_cannot_be_resumed_begins_anew(begin, sweep, grid_file, tmp_path, starts, capsys):
    path = grid_file({"style": ["wait"]}, flags={"go": str(tmp_path / "go")})
    process = begin(path)
    waiting(tmp_path / "sweep", 1)
    (directory,) = {path.parent for path in (tmp_path / "sweep").glob("*/waits")}
    (directory / "refuses").touch()
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    assert sweep(path) == 0
    assert "cannot be resumed, it begins anew: run_stand_in.py: error: this cannot be resumed" in \
        capsys.readouterr().out
    assert starts(tmp_path / "sweep")[directory.name] == ["new"]  # the folder was cleared


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_runs_and_keeps_the_results(begin, grid_file, tmp_path, rows, number,
                                                       code):
    path = grid_file({"style": ["plain", "wait"]}, flags={"go": str(tmp_path / "never")})
    process = begin(path)
    waiting(tmp_path / "sweep", 1)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "1 of 2 runs are over, 0 failed" in said and "best: run " in said
    assert "was stopped; start the sweep again" in said
    assert [row["flags"]["style"] for row in rows(tmp_path / "sweep")] == ["plain"]
    assert (tmp_path / "sweep/sweep.png").exists()
    assert not list((tmp_path / "sweep").glob("*/.claim"))


def test_workers_run_at_the_same_time(begin, grid_file, tmp_path, starts):
    """Two of three runs have begun while none has ended."""
    path = grid_file({"lr": [1, 2, 3]}, flags={"style": "wait", "go": str(tmp_path / "go")})
    process = begin(path, "--workers", 2)
    waiting(tmp_path / "sweep", 2)
    assert len(starts(tmp_path / "sweep")) == 2
    (tmp_path / "go").touch()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "3 of 3 runs are over" in said


def test_two_sweeps_share_a_folder(begin, grid_file, tmp_path, starts):
    """Each run is started once, and both see all results."""
    path = grid_file({"lr": [1, 2, 3, 4]}, flags={"style": "wait", "go": str(tmp_path / "go")})
    both = [begin(path), begin(path)]
    waiting(tmp_path / "sweep", 2)  # one run of each
    (tmp_path / "go").touch()
    for process in both:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and "4 of 4 runs are over, 0 failed" in said
    assert [*starts(tmp_path / "sweep").values()] == [["new"]] * 4


def test_the_run_of_a_dead_sweep_is_taken_over_by_a_waiting_one(begin, grid_file, tmp_path,
                                                                starts):
    path = grid_file({"style": ["wait"]}, flags={"go": str(tmp_path / "go")})
    first = begin(path)
    waiting(tmp_path / "sweep", 1)
    second = begin(path)
    time.sleep(1)
    assert [*starts(tmp_path / "sweep").values()] == [["new"]] and second.poll() is None
    first.kill()
    until(lambda: [*starts(tmp_path / "sweep").values()] == [["new", "resumed"]])
    (tmp_path / "go").touch()
    assert second.wait(60) == 0
