"""Two runs never write to one output_dir: the second is told the process of the first."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from paddle_impl.training import output_lock
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from paddle_impl.training import output_lock
output_lock.make(Path(sys.argv[2]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path/run."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(ROOT), str(tmp_path / "run")],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def output(tmp_path):
    yield tmp_path / "run"
    output_lock.release(tmp_path / "run")


def test_the_second_is_refused_until_the_first_is_dead(holder, output):
    for start in (output_lock.take, output_lock.make):
        with pytest.raises(BlockingIOError, match=rf"--output_dir {output} is in use by process "
                                                  rf"{holder.pid} on \S+: stop that run or wait"):
            start(output)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert output_lock.take(output)
    assert (output / ".lock").read_text().startswith(f"process {os.getpid()} on ")


def test_run_pretrain_says_so_in_one_line(holder, output, tiny_data, command):
    process = command(
        "run_pretrain.py", "--model_type", "gpt", "--model_name_or_path", "code-mini",
        "--input_dir", tiny_data, "--output_dir", output, "--max_seq_len", 16, "--device", "cpu",
        "--resume")
    assert process.returncode == 2
    assert process.stderr.startswith(f"run_pretrain.py: error: --output_dir {output} is in use by "
                                     f"process {holder.pid} ")
    assert process.stderr.count("\n") == 1 and os.listdir(output) == [".lock"]


def test_a_run_that_ends_leaves_no_file(output):
    assert not output_lock.take(output) and not output.exists()  # there is nothing to protect yet
    output_lock.make(output)
    assert os.listdir(output) == [".lock"]
    output_lock.make(output)  # it is this process's own
    output_lock.release(output)
    assert os.listdir(output) == []
    output_lock.release(output)


@pytest.mark.parametrize("name", ["metrics.jsonl", "model_3"])
def test_a_directory_that_another_run_has_made_meanwhile(output, name):
    assert not output_lock.take(output)
    (output / name).mkdir(parents=True)
    with pytest.raises(FileExistsError, match="has become another run's meanwhile"):
        output_lock.make(output)
    assert output_lock.take(output)


def test_a_lock_that_was_removed_while_one_waited_is_not_taken(output, monkeypatch):
    """Between open and flock the holder ends and removes the file: the locked file is no longer
    the one that others find.
    """
    output.mkdir()
    flock, calls = fcntl.flock, []

    def late(descriptor, how):
        calls.append(descriptor)
        if len(calls) == 1:
            (output / ".lock").unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert output_lock.take(output) and len(calls) == 2
    assert (output / ".lock").exists()


def test_two_starts_at_once(tmp_path):
    """Of several processes that come at the same moment exactly one holds it."""
    run = tmp_path / "run"
    run.mkdir()
    started = [subprocess.Popen([sys.executable, "-c", HOLD, str(ROOT), str(run)],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
               for _ in range(3)]
    try:
        until = time.monotonic() + 200
        while sum(one.poll() is None for one in started) > 1 and time.monotonic() < until:
            time.sleep(0.05)
        (left,) = [one for one in started if one.poll() is None]
        assert left.stdout.readline() == "held\n"
        assert (run / ".lock").read_text().startswith(f"process {left.pid} on ")
    finally:
        for one in started:
            one.kill()
            one.wait()


def test_an_error_gives_back_the_lock_that_it_took_and_no_other(tmp_path):
    for held_before in (False, True):
        if held_before:
            output_lock.take(tmp_path)
        with pytest.raises(RuntimeError), output_lock.taken(tmp_path, is_main=True):
            raise RuntimeError
        assert (tmp_path / output_lock.FILE).exists() is held_before
    output_lock.release(tmp_path)
