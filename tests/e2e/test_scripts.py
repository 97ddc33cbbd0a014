"""The README's commands as a user types them, on a folder of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ON_ALL_CORES = "-m pytest -n auto --dist worksteal"


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


def test_run_generate_takes_paths_from_the_callers_folder(checkpoint, tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "output/model_30").symlink_to(checkpoint)
    (tmp_path / "prompts.txt").write_text("def f\n")
    written = bash(ROOT / "scripts/run_generate.sh", "output/model_30", "--max_dec_len", 5,
                   "--prompt_file", "prompts.txt", "--num_return_sequences", 2, cwd=tmp_path)
    assert written.stdout.count("GENERATED SEQUENCE") == 2


def test_setup_is_quick_when_nothing_changed():
    """It says nothing, so it installed nothing."""
    process = bash("scripts/setup.sh")
    assert process.stdout == process.stderr == ""


def test_setup_refuses_what_it_does_not_know():
    process = bash("scripts/setup.sh", "--tpu", check=False)
    assert process.returncode == 1 and "unknown option --tpu" in process.stderr


def bare_machine(tmp_path):
    """A folder with the shell's own tools and no others, and a project with what setup.sh reads."""
    bin_, project = tmp_path / "bin", tmp_path / "project"
    bin_.mkdir()
    for name in ("bash", "cat", "cksum", "cp", "dirname", "mkdir", "paste", "rm", "sed", "sort",
                 "tr"):
        (bin_ / name).symlink_to(shutil.which(name))
    read = [ROOT / name for name in ("pyproject.toml", "setup.py", "scripts/setup.sh")]
    read += [*ROOT.glob("data_tools/index_helper/*.cpp"), *ROOT.glob("paddle_impl/kernels/*.cpp"),
             *ROOT.glob("paddle_impl/kernels/decode/*.h")]
    for path in read:
        copy = project / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return bin_, project


@pytest.mark.parametrize(("tools", "advice"), [
    ([], "no Python 3.10 to 3.13 found"),
    (["python3"], "no C++ compiler found; install one (Debian, Ubuntu: apt-get install g++"),
])
def test_setup_says_what_to_install(tmp_path, tools, advice):
    """A machine on which nothing but the shell's own tools is there."""
    bin_, project = bare_machine(tmp_path)
    if tools:
        (bin_ / "python3").symlink_to(Path(sys.executable).resolve())
    process = subprocess.run(
        [bin_ / "bash", project / "scripts/setup.sh"], capture_output=True, text=True,
        env={"PATH": str(bin_)}, check=False,
    )
    assert process.returncode == 1
    assert advice in process.stderr and process.stderr.count("\n") == 1
    assert not (project / ".venv").exists()


def executable(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/usr/bin/env bash", *lines, ""]))
    path.chmod(0o755)


def pinned(package):
    """The version that pyproject.toml pins."""
    return re.search(rf'"{package}==([^"]+)"', (ROOT / "pyproject.toml").read_text())[1]


@pytest.mark.parametrize("script", ["scripts/setup.sh", "scripts/test.sh"])
def test_a_version_of_paddle_that_is_not_known(script):
    """The known ones are those of the CPU and of the GPU build in pyproject.toml."""
    process = bash(script, "--paddle", "2.5.0", check=False)
    known = f"known: {pinned('paddlepaddle')} and {pinned('paddlepaddle-gpu')}"
    assert process.returncode == 1 and process.stderr.count("\n") == 1
    assert "--paddle 2.5.0 is not" in process.stderr and known in process.stderr
    assert not (ROOT / ".venv-paddle-2.5.0").exists()


def test_a_version_of_paddle_is_no_gpu_build():
    process = bash("scripts/setup.sh", "--paddle", "2.6.2", "--gpu", check=False)
    assert process.returncode == 1 and "--paddle 2.6.2 takes a CPU build" in process.stderr


@pytest.mark.parametrize(("arguments", "environment", "asked", "newest"), [
    (["--paddle", "2.6.2", "--extras", "dev"], ".venv-paddle-2.6.2",
     "numpy<2 pyarrow<26 -e .[dev] paddlepaddle==2.6.2 setuptools", 12),
    (["--paddle", "3.3.1"], ".venv-paddle-3.3.1", "-e . paddlepaddle==3.3.1", 13),
    (["--gpu", "--extras", "dev"], ".venv", "numpy<2 pyarrow<26 -e .[gpu,dev] setuptools", 12),
    (["--cpu"], ".venv", "-e .[cpu]", 13),
])
def test_what_setup_installs_where(tmp_path, arguments, environment, asked, newest):
    """A stand-in for python writes down what pip is asked for, constraints first."""
    bin_, project = bare_machine(tmp_path)
    (bin_ / "c++").symlink_to(shutil.which("true"))
    executable(
        bin_ / "python3.11",
        f'case "$*" in *"(3, 10) <="*) [[ $* == *"(3, {newest})"* ]] || exit 1 ;; esac',
        '[ "$2" != venv ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; }',
        '[ "$2" != pip ] || printf "%s\\n" $(cat "$7") "${@:8}" >> pip.log',
    )

    def setup():
        return subprocess.run(
            [bin_ / "bash", project / "scripts/setup.sh", *arguments], capture_output=True,
            text=True, env={"PATH": f"{bin_}:{Path(shutil.which('env')).parent}"}, check=True)

    assert "setup: done" in setup().stdout
    assert (project / "pip.log").read_text().split() == asked.split()
    assert [path.name for path in project.glob(".venv*")] == [environment]
    assert setup().stdout == ""  # nothing changed


@pytest.fixture
def stand_ins(tmp_path):
    """test.sh and .ci/run with a setup.sh and pythons that only write down what they are given."""
    for name in ("scripts/test.sh", ".ci/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    executable(tmp_path / "scripts/setup.sh", 'echo "setup $*" >> log')
    for environment in (".venv", ".venv-paddle-2.6.2"):
        executable(
            tmp_path / environment / "bin/python",
            f'echo "{environment} $* threads=$OMP_NUM_THREADS other=${{OTHER_PADDLE_PYTHON:-}}" '
            '>> log',
            '[ "$*" != "-m parity --list" ] || printf "%s\\n" "tokenizer  texts" "loss  mean"',
        )

    def run(*words):
        (tmp_path / "log").unlink(missing_ok=True)
        bash(*words, cwd=tmp_path)
        return (tmp_path / "log").read_text().splitlines()

    return run


def test_the_tests_of_another_version_run_in_its_environment(stand_ins, tmp_path):
    setup, usual, *steps = stand_ins("scripts/test.sh", "--paddle", "2.6.2")
    assert setup == "setup --paddle 2.6.2 --extras parity,dev" and usual == "setup "
    assert len(steps) > 3
    for step in steps:
        assert step.startswith(".venv-paddle-2.6.2 ")
        assert step.endswith(f" threads=1 other={tmp_path}/.venv/bin/python")
    said = "\n".join(steps)
    assert f"{ON_ALL_CORES} tests/paddle_impl" in said and "tests/e2e/test_pretraining.py" in said
    assert "-m parity --only loss --output parity_report/paddle-2.6.2" in said


def test_ci_runs_the_long_sweeps_and_both_versions(stand_ins):
    """--all: every test without and with the mark, and what --paddle does for the other version."""
    plain = stand_ins("scripts/test.sh")
    other = stand_ins("scripts/test.sh", "--paddle", "2.6.2")
    everything = stand_ins("scripts/test.sh", "--all")
    assert any("-m ruff" in line for line in plain)
    assert not any("paddle-2.6.2" in line for line in plain)
    own, others = everything[: len(plain)], everything[len(plain):]
    unmarked = f"{ON_ALL_CORES} -m  tests"  # an empty expression, which overrides pyproject.toml's
    assert [line.replace(unmarked, f"{ON_ALL_CORES} tests") for line in own] == plain
    assert sum(unmarked in line for line in own) == sum(ON_ALL_CORES in line for line in plain) >= 2
    assert others == other
    assert stand_ins(".ci/run") == everything


def test_all_has_its_own_other_version():
    process = bash("scripts/test.sh", "--all", "--paddle", "2.6.2", check=False)
    assert process.returncode == 1 and "--all includes Paddle 2.6.2" in process.stderr
