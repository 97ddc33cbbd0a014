"""A copy of the project with a tiny dataset and a checkpoint of three steps, for the pages."""

import shutil
import sys
from pathlib import Path

import pytest

import run_pretrain
from data_tools import create_pretraining_data
from tests.docs.pages import ROOT

NOT_COPIED = (".git", ".venv*", "__pycache__", "build", "output", "parity_report", "tests",
              "code_python_*", "*.egg-info", ".*_cache", ".hypothesis")


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Copied for each page. setup.sh has nothing to do: .venv is the environment of the tests."""
    project = tmp_path_factory.mktemp("pages") / "project"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (project / ".venv").symlink_to(sys.prefix)
    (project / "scripts/setup.sh").write_text("")
    source = project / "source"
    source.mkdir()
    for i in range(60):
        (source / f"m{i}.py").write_text(f"def f_{i}(x):\n    return x * {i}\n\n\n" * (3 + i % 7))
    assert create_pretraining_data.main([
        "--input_path", str(source), "--vocab_size", "300", "--quiet",
        "--output_prefix", str(project / "data_tools/code_python"),
    ]) == 0
    run_pretrain.main([str(part) for part in (
        "--model_type", "gpt", "--model_name_or_path", "code-mini", "--device", "cpu",
        "--input_dir", project / "data_tools", "--output_dir", project / "output",
        "--split", "80,15,5", "--max_seq_len", 32, "--micro_batch_size", 2, "--max_steps", 3,
        "--decay_steps", 3, "--eval_iters", 1, "--report_to", "none",
    )])
    return project


@pytest.fixture
def project(template, tmp_path) -> Path:
    """A copy of the template for one page."""
    return shutil.copytree(template, tmp_path / "project", symlinks=True)
