"""Fixtures that start a short run on the tiny dataset, in this process or in others."""

import pytest

import run_pretrain
from tests.e2e.jobs import Job, launcher


@pytest.fixture(scope="session")
def flags(tiny_data):
    """The flags of a run of 6 steps; later ones win, so tests append theirs."""

    def build(output_dir, *more) -> list[str]:
        return [str(part) for part in (
            "--model_type", "gpt", "--model_name_or_path", "code-mini", "--input_dir", tiny_data,
            "--output_dir", output_dir, "--split", "80,15,5", "--max_seq_len", 32,
            "--micro_batch_size", 2, "--max_lr", 1e-3, "--min_lr", 1e-4, "--decay_steps", 6,
            "--warmup_rate", 0.5, "--weight_decay", 0.1, "--grad_clip", 1.0, "--max_steps", 6,
            "--save_steps", 3, "--eval_freq", 2, "--eval_iters", 2, "--device", "cpu", *more,
        )]

    return build


@pytest.fixture
def pretrain(flags):
    """Run run_pretrain.py's main in this process."""
    return lambda *arguments: run_pretrain.main(flags(*arguments))


@pytest.fixture
def start(tmp_path):
    """Start a command in the background; its processes are killed when the test ends."""
    started = []

    def begin(*argv, **environment) -> Job:
        started.append(Job(argv, tmp_path / f"console.{len(started)}", **environment))
        return started[-1]

    yield begin
    for job in started:
        job.end()


@pytest.fixture
def launch(start, tmp_path):
    """Start a script, run_pretrain.py unless told otherwise, in two processes of the launcher."""

    def begin(*arguments, script="run_pretrain.py", options=("--nproc_per_node", 2),
              **environment) -> Job:
        log_dir = ("--log_dir", tmp_path / "log")
        return start(*launcher(*options, *log_dir), script, *arguments, **environment)

    return begin


@pytest.fixture(scope="session")
def checkpoint(tiny_data, tmp_path_factory):
    """The checkpoint of a tiny model after 30 steps on tiny_data."""
    output = tmp_path_factory.mktemp("trained") / "run"
    run_pretrain.main([str(part) for part in (
        "--model_type", "gpt", "--model_name_or_path", "code-mini", "--input_dir", tiny_data,
        "--output_dir", output, "--split", "80,15,5", "--max_seq_len", 64, "--micro_batch_size", 4,
        "--max_lr", 3e-3, "--min_lr", 1e-4, "--decay_steps", 30, "--max_steps", 30,
        "--eval_iters", 1, "--device", "cpu", "--check_accuracy", "--grad_clip", 1.0,
        "--warmup_rate", 0.1, "--adam_beta2", 0.95,
    )])
    return output / "model_30"


@pytest.fixture(scope="session")
def two_ranks(flags, tmp_path_factory):
    """Folders `run` and `log` of an uninterrupted run of 12 steps in two processes."""
    folder = tmp_path_factory.mktemp("two_ranks")
    job = Job(
        [*launcher("--nproc_per_node", 2, "--log_dir", folder / "log"), "run_pretrain.py",
         *flags(folder / "run", "--max_steps", 12, "--save_steps", 2)], folder / "console",
    )
    try:
        assert job.wait() == 0, job.said()
    finally:
        job.end()
    return folder
