"""The README's commands as a user types them, on a folder of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def bash(*arguments, cwd=ROOT, check=True):
    return subprocess.run(["bash", *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
                          timeout=600, check=check, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Source files, two of them unfit, processed by process_data.sh from the caller's folder."""
    place = tmp_path_factory.mktemp("workplace")
    source = place / "source"
    source.mkdir()
    for i in range(60):
        (source / f"m{i}.py").write_text(f"def f_{i}(x):\n    return x * {i}\n\n\n" * (2 + i % 7))
    (source / "latin.py").write_bytes("# caf\xe9 et cr\xe8me\n".encode("latin-1"))
    (source / "binary.py").write_bytes(b"\x00\x01\x02 nothing to read here")
    process = bash(ROOT / "scripts/process_data.sh", "source", "--vocab_size", 300,
                   "--output_prefix", place / "data" / "code", cwd=place)
    return place, process.stdout + process.stderr


def test_process_data_counts_what_it_skips(workplace):
    place, said = workplace
    assert {"code_ids.npy", "code_idx.npz", "code_meta.json", "code_tokenizer"} <= set(
        os.listdir(place / "data"))
    assert "documents: 60" in said and "peak memory" in said
    assert "skipped, not UTF-8: 1" in said and "skipped, binary: 1" in said


def test_run_then_generate(workplace):
    place, _ = workplace
    out = place / "output"
    process = bash("scripts/run.sh", "--input_dir", place / "data", "--output_dir", out,
                   "--device", "cpu", "--max_steps", 4, "--decay_steps", 4, "--eval_freq", 2,
                   "--logging_freq", 2, "--split", "80,15,5", "--max_seq_len", 64)
    said = process.stdout
    assert "valid_loss:" in said and "bits per byte" in said and "gzip -9" in said
    assert said.count("GENERATED SEQUENCE") == 3
    assert str(out / "model_4") in said and str(out / "metrics.jsonl") in said
    assert json.loads((out / "evaluation.json").read_text())["bits_per_byte"] > 0

    written = bash("scripts/run_generate.sh", out / "model_4", "--prompt", "def f",
                   "--max_dec_len", 5, "--num_return_sequences", 2)
    assert written.stdout.count("GENERATED SEQUENCE") == 2


def test_run_multi_trains_on_two_processes(workplace):
    place, _ = workplace
    out = place / "multi"
    bash("scripts/run_multi.sh", "--input_dir", place / "data", "--output_dir", out,
         "--max_steps", 2, "--max_seq_len", 32, "--eval_iters", 0)
    assert (out / "model_2" / "model.safetensors").exists()
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 2
    assert (out / "log").is_dir()


def test_setup_is_quick_when_nothing_changed():
    """It says nothing, so it installed nothing."""
    process = bash("scripts/setup.sh")
    assert process.stdout == process.stderr == ""


def test_setup_refuses_what_it_does_not_know():
    process = bash("scripts/setup.sh", "--tpu", check=False)
    assert process.returncode == 1 and "unknown option --tpu" in process.stderr


@pytest.mark.parametrize(("tools", "advice"), [
    ([], "no Python 3.10 to 3.13 found"),
    (["python3"], "no C++ compiler found; install one (Debian, Ubuntu: apt-get install g++"),
])
def test_setup_says_what_to_install(tmp_path, tools, advice):
    """A machine on which nothing but the shell's own tools is there."""
    bin_, project = tmp_path / "bin", tmp_path / "project"
    bin_.mkdir()
    (project / "scripts").mkdir(parents=True)
    for name in ("bash", "cat", "cksum", "dirname", "paste", "rm", "sed", "sort", "tr"):
        (bin_ / name).symlink_to(shutil.which(name))
    if tools:
        (bin_ / "python3").symlink_to(Path(sys.executable).resolve())
    for name in ("pyproject.toml", "setup.py", "data_tools/index_helper/_core.cpp",
                 "data_tools/index_helper/_samples.cpp", "scripts/setup.sh"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    process = subprocess.run(
        [bin_ / "bash", project / "scripts/setup.sh"], capture_output=True, text=True,
        env={"PATH": str(bin_)}, check=False,
    )
    assert process.returncode == 1
    assert advice in process.stderr and process.stderr.count("\n") == 1
    assert not (project / ".venv").exists()
