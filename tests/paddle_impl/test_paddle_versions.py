"""A run does not depend on Paddle's version: stopped under one, it continues under the other.

`bash scripts/test.sh --paddle VERSION` names the Python of the other version in
OTHER_PADDLE_PYTHON. Dropout is off: no version promises to draw another's masks.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import paddle
import pytest

ROOT = Path(__file__).resolve().parents[2]
OTHER = os.environ.get("OTHER_PADDLE_PYTHON")
HERE = sys.executable
SHOW = "import sys, paddle; sys.stdout.write(paddle.__version__)"


def run(python, *arguments) -> str:
    process = subprocess.run(
        [python, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def train(python, data, output_dir, *more) -> list[tuple]:
    """Six steps; (step, loss, gradient norm) of each."""
    run(python, "run_pretrain.py", "--model_type", "gpt", "--model_name_or_path", "code-mini",
        "--input_dir", data, "--output_dir", output_dir, "--split", "80,15,5",
        "--max_seq_len", 32, "--micro_batch_size", 2, "--max_lr", 1e-3, "--min_lr", 1e-4,
        "--decay_steps", 6, "--weight_decay", 0.1, "--grad_clip", 1.0, "--max_steps", 6,
        "--save_steps", 3, "--eval_iters", 0, "--device", "cpu", "--check_accuracy", *more)
    lines = (output_dir / "metrics.jsonl").read_text().splitlines()
    return [(r["step"], r["loss"], r["grad_norm"]) for r in map(json.loads, lines) if "loss" in r]


def write(python, checkpoint, output) -> list[dict]:
    run(python, "run_generation.py", "--model_name_or_path", checkpoint, "--device", "cpu",
        "--decode_strategy", "greedy_search", "--max_dec_len", 12, "--prompt", "def f_1",
        "    return", "--output_file", output)
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def assert_same_steps(one, two):
    assert [step for step, *_ in one] == [1, 2, 3, 4, 5, 6]
    for a, b in zip(one, two, strict=True):
        assert a == pytest.approx(b, rel=1e-6)


@pytest.fixture(scope="module")
def other():
    """The other version's Python."""
    if OTHER is None:
        pytest.skip("one version of Paddle; bash scripts/test.sh --paddle VERSION brings the other")
    if run(OTHER, "-c", SHOW) == paddle.__version__:
        pytest.skip(f"both environments have Paddle {paddle.__version__}")
    return OTHER


@pytest.fixture(scope="module")
def runs(other, tiny_data, tmp_path_factory):
    """python -> (its run's directory, its steps)."""
    found = {}
    for python in (HERE, other):
        output = tmp_path_factory.mktemp("versions") / "run"
        found[python] = output, train(python, tiny_data, output)
    return found


def test_both_versions_take_the_same_steps(runs):
    (_, one), (_, two) = runs.values()
    assert_same_steps(one, two)


@pytest.mark.parametrize("started_here", [True, False])
def test_a_run_stopped_under_one_version_continues_under_the_other(
    runs, other, tiny_data, tmp_path, started_here
):
    first, second = (HERE, other) if started_here else (other, HERE)
    output, steps = runs[first]
    shutil.copytree(output, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model_6")
    continued = train(second, tiny_data, tmp_path / "run", "--resume")
    assert continued[:3] == steps[:3]
    assert_same_steps(continued, steps)


def test_both_versions_write_the_same_text(runs, other, tmp_path):
    checkpoint = runs[other][0] / "model_6"
    one = write(HERE, checkpoint, tmp_path / "one.jsonl")
    two = write(other, checkpoint, tmp_path / "two.jsonl")
    assert [r["token_ids"] for r in one] == [r["token_ids"] for r in two]
    assert [r["score"] for r in one] == pytest.approx([r["score"] for r in two], rel=1e-6)
