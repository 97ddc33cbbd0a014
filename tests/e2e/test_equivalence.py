"""In float64 every way to share the work is the same computation, however many steps long."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file

from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize

ROOT = Path(__file__).parents[2]
STEPS, MANY = 40, 100  # MANY with the exhaustive tests
# The way -> processes, flags. Every step reads the same 4 samples. Those of two processes are parts
# of the last; alone, to tell which part an error lies in, they run with the exhaustive tests.
WAYS = {
    "four micro batches": (1, ["--micro_batch_size", 1]),
    "recompute": (1, ["--micro_batch_size", 4, "--use_recompute"]),
    "two processes": (2, ["--micro_batch_size", 2]),
    "sharding degree 2": (2, ["--micro_batch_size", 2, "--sharding_degree", 2]),
    "tensor parallel degree 2": (2, ["--micro_batch_size", 4, "--mp_degree", 2]),
    "all together": (
        4, ["--micro_batch_size", 1, "--use_sharding", "--mp_degree", 2, "--use_recompute"]),
}
# An odd vocabulary: its shares differ in size.
MODEL = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=301, n_positions=16,
                    bos_token_id=0, eos_token_id=0)


@pytest.fixture(scope="module")
def steps(pytestconfig) -> int:
    return STEPS if "not exhaustive" in pytestconfig.option.markexpr else MANY


@pytest.fixture(scope="module")
def train(tiny_data, tmp_path_factory, steps):
    """train(output, processes, flags) in float64, on documents of their own: masks are uneven."""
    start = tmp_path_factory.mktemp("start")
    paddle.set_default_dtype("float64")
    try:
        model = GPTForCausalLM(MODEL)
    finally:
        paddle.set_default_dtype("float32")
    initialize(model, 0)
    (start / "config.json").write_text(json.dumps(MODEL.to_hf()))
    save_file(hugging_face.to_hf(model), start / "model.safetensors", metadata={"format": "pt"})

    def run(output: Path, processes: int, flags: list, source: Path = start) -> None:
        launcher = ["-m", "paddle.distributed.launch", "--nproc_per_node", processes,
                    "--log_dir", output / "log"] if processes > 1 else []
        command = [sys.executable, *launcher, Path(__file__).with_name("float64_run.py"), *(
            "--model_type", "gpt", "--model_name_or_path", source, "--input_dir", tiny_data,
            "--output_dir", output, "--split", "80,15,5", "--max_seq_len", 16, "--packing", "keep",
            "--global_batch_size", 4, "--max_lr", 1e-3, "--min_lr", 1e-4, "--decay_steps", steps,
            "--warmup_rate", 0.1, "--weight_decay", 0.1, "--grad_clip", 1.0, "--check_accuracy",
            "--max_steps", steps, "--save_steps", steps // 2, "--eval_freq", steps,
            "--eval_iters", 1, "--device", "cpu", *flags)]
        process = subprocess.run(
            [str(word) for word in command], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=300, check=False)
        assert process.returncode == 0, process.stdout + process.stderr

    return run


@pytest.fixture(scope="module")
def alone(train, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("alone")
    train(output, 1, ["--micro_batch_size", 4])
    return output


def curves(output: Path) -> np.ndarray:
    """(steps, 2): loss and gradient norm."""
    records = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return np.array([(r["loss"], r["grad_norm"]) for r in records if "loss" in r])


def assert_same_computation(output: Path, alone: Path, steps: int) -> None:
    assert len(curves(alone)) == steps
    np.testing.assert_allclose(curves(output), curves(alone), rtol=1e-10)
    got, expected = (load_file(path / f"model_{steps}" / "model.safetensors")
                     for path in (output, alone))
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert value.dtype == np.float64
        np.testing.assert_allclose(got[name], value, rtol=1e-8, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("way", [
    pytest.param(way, marks=pytest.mark.exhaustive if processes == 2 else ())
    for way, (processes, _) in WAYS.items()
])
def test_the_way_does_not_matter(train, alone, tmp_path, steps, way):
    train(tmp_path, *WAYS[way])
    assert_same_computation(tmp_path, alone, steps)


def test_a_run_goes_on_in_another_way(train, alone, tmp_path, steps):
    """From the middle of the run alone: sharded, then written, read and finished split by two."""
    shutil.copytree(alone, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / f"model_{steps}")
    _, sharded = WAYS["sharding degree 2"]
    _, split = WAYS["tensor parallel degree 2"]
    train(tmp_path, 2, [*sharded, "--resume", "--max_steps", 3 * steps // 4,
                        "--save_steps", steps // 4])
    train(tmp_path, 2, [*split, "--resume"])
    assert {p for p in os.listdir(tmp_path) if p.startswith("model_")} == {
        f"model_{step}" for step in (steps // 2, 3 * steps // 4, steps)}
    assert_same_computation(tmp_path, alone, steps)
