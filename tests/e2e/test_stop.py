"""A signal stops a run: it saves a checkpoint, prints one line, and exits with the shell's code."""

import os
import signal
import sys

import pytest

from paddle_impl.tracking import Tracker
from tests.e2e.jobs import assert_same_run, last_step


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_after_a_checkpoint(start, flags, tmp_path, number, code):
    run = tmp_path / "run"
    job = start(sys.executable, "run_pretrain.py",
                *flags(run, "--max_steps", 5000, "--save_steps", 5000))
    job.wait_until(lambda: last_step(run) >= 2)
    os.kill(job.process.pid, number)
    assert job.wait() == code
    step = last_step(run)
    assert job.said().splitlines()[-1] == (
        f"stopped by {number.name} after a checkpoint; continue with --resume")
    assert [path.name for path in run.glob("model_*")] == [f"model_{step}"]


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(pretrain, tmp_path, monkeypatch):
    """Stopped where no checkpoint was due: 6 steps = 2 steps + the rest, byte for byte."""
    pretrain(tmp_path / "whole")
    record = Tracker.train

    def interrupt(self, values):
        record(self, values)
        if values["step"] == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Tracker, "train", interrupt)
    with pytest.raises(SystemExit) as exit_:
        pretrain(tmp_path / "cut")
    assert exit_.value.code == 143
    assert [path.name for path in (tmp_path / "cut").glob("model_*")] == ["model_2"]
    monkeypatch.undo()
    pretrain(tmp_path / "cut", "--resume")
    (tmp_path / "cut" / "model_2").rename(tmp_path / "stopped_here")
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_before_the_first_step_there_is_nothing_to_say(start, flags, tmp_path, number):
    """While Paddle is loaded: no traceback of Python's, none of Paddle's."""
    job = start(sys.executable, "run_pretrain.py", *flags(tmp_path / "run"))
    job.wait_until(lambda: "libpaddle" in _mapped(job.process.pid))
    os.kill(job.process.pid, number)
    assert job.wait() == -number
    assert job.said() == "" and not (tmp_path / "run").exists()


def _mapped(pid):
    with open(f"/proc/{pid}/maps") as maps:
        return maps.read()
