"""Two processes under Paddle's launcher: their output, how they stop, and a process that dies."""

import os
import signal

import pytest

from tests.e2e.jobs import BROKEN, assert_same_run, last_step, numbers, records, temporary_files

SOON = 60  # seconds within which a job that lost a process must end by itself

def test_one_ranks_mistake_ends_the_job_with_one_message(launch, flags, tmp_path):
    """The launcher shows the end of the log of a process that failed: it must be the right one."""
    (tmp_path / "broken.py").write_text(BROKEN)
    job = launch(*flags(tmp_path / "run"), script=tmp_path / "broken.py")
    assert job.wait(SOON) != 0
    said = job.said()
    assert said.count("[rank 1] run_pretrain.py: error: this machine's tokenizer") == 1, said
    assert "[rank 0] run_pretrain.py" not in said and "Traceback" not in said, said
    assert not (tmp_path / "run").exists()


def test_a_mistake_of_all_is_told_once(launch, flags, tmp_path):
    job = launch(*flags(tmp_path / "run", "--min_lr", 1))
    assert job.wait(SOON) != 0
    messages = {line for line in job.said().splitlines() if "error: " in line}
    # The launcher may repeat a line it has shown, and shows one process's.
    assert len(messages) == 1 and "--min_lr 1.0 is above --max_lr" in messages.pop()


def test_only_the_first_rank_writes(two_ranks, pretrain, tmp_path):
    """Two processes leave the files of one, and the other's log tells no step."""
    pretrain(tmp_path / "one", "--max_steps", 2, "--save_steps", 2)

    def files(run):
        return {path.relative_to(run).as_posix() for path in run.rglob("*")
                if path.is_file() and "train_log" not in path.parts}

    of_two = {name for name in files(two_ranks / "run") if not name.startswith("model_")}
    assert of_two == {name for name in files(tmp_path / "one") if not name.startswith("model_")}
    assert (two_ranks / "log" / "workerlog.0").read_text().count("global step 1,") == 1
    assert "global step" not in (two_ranks / "log" / "workerlog.1").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_launcher_passes_a_stop_on(launch, flags, tmp_path, number):
    """As Ctrl-C does, or a batch system: both processes save after the same step, and end."""
    run = tmp_path / "run"
    job = launch(*flags(run, "--max_steps", 5000, "--save_steps", 5000))
    job.wait_until(lambda: last_step(run) >= 2)
    os.kill(job.process.pid, number)
    job.wait(SOON)
    assert (run / f"model_{last_step(run)}" / "optimizer.safetensors").exists()
    assert "stopped by SIGTERM after a checkpoint; continue with --resume" in (
        tmp_path / "log" / "workerlog.0").read_text()
    assert not temporary_files(run)


def test_processes_die_with_their_launcher(launch, flags, tmp_path):
    """Otherwise the next job would write into the same folder beside them."""
    run = tmp_path / "run"
    job = launch(*flags(run, "--max_steps", 5000, "--save_steps", 5000))
    job.wait_until(lambda: last_step(run) >= 1)
    assert len(job.ranks()) == 2
    job.kill(job.process.pid)
    assert job.wait(SOON) == -signal.SIGKILL


@pytest.fixture
def run_multi(start, flags):
    """scripts/run_multi.sh on two CPU processes."""
    def begin(*arguments, **environment):
        return start("bash", "scripts/run_multi.sh", *flags(*arguments), **environment)

    return begin


def test_run_multi_restarts_a_job_that_lost_a_process(run_multi, two_ranks, tmp_path):
    """Nobody does anything, and the weights are those of a run that nothing happened to."""
    run = tmp_path / "run"
    job = run_multi(run, "--max_steps", 12, "--save_steps", 2)
    job.wait_until(lambda: last_step(run) >= 3)
    job.kill(job.ranks()[1])
    assert job.wait_until(lambda: "starting it again from" in job.said(), SOON)
    assert "Container rank 1 status failed" in job.said() and "Traceback" not in job.said()
    assert job.wait() == 0
    assert job.said().count("starting it again from") == 1
    assert (run / "log/launch.log").is_file()
    assert_same_run(run, two_ranks / "run")


def test_run_multi_stops_when_told(run_multi, tmp_path):
    run = tmp_path / "run"
    job = run_multi(run, "--max_steps", 5000, "--save_steps", 5000)
    job.wait_until(lambda: last_step(run) >= 2)
    os.kill(job.process.pid, signal.SIGTERM)
    assert job.wait(SOON) == 143
    assert "stopped by SIGTERM after a checkpoint; continue with --resume" in job.said()
    assert (run / f"model_{last_step(run)}").is_dir() and "starting it again" not in job.said()


def test_run_multi_does_not_repeat_a_mistake(run_multi, tmp_path):
    job = run_multi(tmp_path / "run", "--min_lr", 1)
    assert job.wait(SOON) == 2
    assert "--min_lr 1.0 is above" in job.said() and "starting it again" not in job.said()


def test_run_multi_gives_up(run_multi, tmp_path):
    """A job that fails at every start, without a checkpoint in between."""
    job = run_multi(tmp_path / "run", "--max_steps", 5000, "--save_steps", 5000, RESTARTS="1")
    job.wait_until(job.ranks)
    job.kill(*job.ranks().values())
    job.wait_until(lambda: "starting it again" in job.said() and job.ranks())
    job.kill(*job.ranks().values())
    assert job.wait(SOON) not in (0, 2)
    assert job.said().count("starting it again") == 1
    assert records(tmp_path / "run") == numbers(tmp_path / "run") == []
