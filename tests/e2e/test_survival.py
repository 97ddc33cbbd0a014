"""A run that is killed at random moments and resumed equals one that was never interrupted.

Three kills of one process. The whole proof has 30, and 30 of two processes under the launcher:
pytest -s -m exhaustive tests/e2e/test_survival.py
"""

import contextlib
import random
import shutil
import sys
import time

import pytest

from paddle_impl.process.runtime import core_count
from tests.e2e.jobs import Job, assert_same_run, last_step, launcher, records, temporary_files

STEPS = ("--max_steps", 12, "--save_steps", 2)  # dropout is on


class Killer:
    """Ends jobs without warning, at moments drawn from a seed.

    They are spread over the three things a run does: starting (which the first time includes
    making the index files), taking steps, and writing a checkpoint.
    """

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.kills: list[str] = []  # what the job was doing
        self.deck: list[str] = []
        self.start = 3.0  # seconds to a first step

    def strike(self, job: Job, run) -> bool:
        """Kill the job at the next such moment; False if it ended before."""
        began, first = time.time(), last_step(run)
        doing = self.draw()
        if doing == "starting":
            time.sleep(self.random.uniform(0, self.start))
        elif doing == "stepping":
            goal = first + self.random.randint(1, 2)
            job.wait_until(lambda: last_step(run) >= goal)
            self.start = time.time() - began
            time.sleep(self.random.uniform(0, 0.1))
        else:
            job.wait_until(lambda: is_saving(run, began))
            time.sleep(self.random.uniform(0, 0.05))
        tree = job.tree()
        if not tree:
            return False
        self.random.shuffle(tree)
        # All at once, or one, whose death the others must not survive.
        job.kill(*(tree if self.random.random() < 0.5 else tree[:1]))
        killed = job.wait() != 0
        if killed:
            self.kills.append(doing)
        return killed

    def draw(self) -> str:
        if not self.deck:
            self.deck = self.random.sample(["starting", "stepping", "saving"], 3)
        return self.deck.pop()


def is_saving(run, since: float) -> bool:
    """Whether a checkpoint is being written that was begun after `since`."""
    with contextlib.suppress(FileNotFoundError):  # it was renamed meanwhile
        return any(path.stat().st_mtime > since for path in run.glob(".model_*.tmp"))
    return False


def live(begin, run, killer: Killer, kills: int) -> None:
    """Start and kill a run, and start it again with --resume, until it is done."""
    resume = []
    while True:
        job = begin(*resume)
        if len(killer.kills) >= kills or not killer.strike(job, run):
            assert job.wait() == 0 or is_done(job, run), job.said()
            return
        resume = ["--resume"]


def is_done(job: Job, run) -> bool:
    """Whether the run was killed after its very last record."""
    tested = any("test_loss" in record for record in records(run))
    return tested and "is at step 12 already" in job.said()


def assert_survived(run, data, whole) -> None:
    assert_same_run(run, whole)
    assert temporary_files(run, data) == []
    assert sorted(path.name for path in run.iterdir() if path.is_dir()) == sorted(
        path.name for path in whole.iterdir() if path.is_dir())


THIRTY = [pytest.param(processes, 30, marks=[pytest.mark.exhaustive, pytest.mark.timeout(1800)])
          for processes in (1, 2)]


@pytest.mark.parametrize(("processes", "kills"), [(1, 3), *THIRTY])
def test_killed_at_random_and_resumed_it_is_the_same_run(
    processes, kills, request, start, flags, tiny_data, tmp_path
):
    def begin(folder, *more):
        line = ["run_pretrain.py", *flags(folder / "run", "--input_dir", folder / "data", *STEPS),
                *more]
        if processes == 1:
            # As for a user, with a thread for every core, whatever the tests around it have.
            return start(sys.executable, *line, OMP_NUM_THREADS=str(core_count()))
        options = ("--nproc_per_node", processes, "--log_dir", folder / "log")
        return start(*launcher(*options), *line)

    if processes == 1:
        shutil.copytree(tiny_data, tmp_path / "data")
        assert begin(tmp_path).wait() == 0
        whole = tmp_path / "run"
    else:
        whole = request.getfixturevalue("two_ranks") / "run"

    killer = Killer(seed=processes)
    lives = 0
    while len(killer.kills) < kills:
        folder = tmp_path / f"life.{lives}"
        # Data without index files: making them is part of the first start.
        ignore = shutil.ignore_patterns("*indexmap*")
        shutil.copytree(tiny_data, folder / "data", ignore=ignore)
        live(lambda *resume, folder=folder: begin(folder, *resume), folder / "run", killer, kills)
        assert_survived(folder / "run", folder / "data", whole)
        lives += 1
        assert lives <= kills, "most runs end before a kill meets them"
    print(f"{processes} processes: {len(killer.kills)} kills in {lives} runs, " + ", ".join(
        f"{killer.kills.count(doing)} {doing}" for doing in sorted(set(killer.kills))))
