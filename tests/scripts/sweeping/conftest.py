"""A sweep of the stand-in command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

STAND_IN = Path(__file__).parent / "run_stand_in.py"


@pytest.fixture
def grid_file(tmp_path):
    """grid_file(parameters, **more) writes a grid of the stand-in and returns its path."""

    def write(parameters: dict, **more) -> Path:
        path = tmp_path / "grid.json"
        path.write_text(json.dumps({"command": str(STAND_IN), "parameters": parameters} | more))
        return path

    return write


@pytest.fixture
def rows():
    """rows(folder): the lines of its sweep.jsonl."""
    return lambda folder: [json.loads(line)
                           for line in (folder / "sweep.jsonl").read_text().splitlines()]


@pytest.fixture
def starts():
    """starts(folder): how often each run was started, by its name, as the runs have noted it."""
    return lambda folder: {path.parent.name: path.read_text().split()
                           for path in folder.glob("*/starts")}


@pytest.fixture
def sweep(script, monkeypatch, tmp_path):
    """sweep(grid file, *flags) runs one to its end in tmp_path/sweep; returns the exit code."""
    main = script("sweep").main

    def run(path, *more) -> int:
        return main([str(path), "--output_dir", str(tmp_path / "sweep"), *map(str, more)])

    return run


@pytest.fixture
def begin(tmp_path):
    """begin(grid file, *flags) starts one in a process of its own, killed when the test ends."""
    begun = []

    def start(path, *more) -> subprocess.Popen:
        begun.append(subprocess.Popen(
            [sys.executable, str(ROOT / "scripts/sweep.py"), str(path), "--output_dir",
             str(tmp_path / "sweep"), *map(str, more)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()
