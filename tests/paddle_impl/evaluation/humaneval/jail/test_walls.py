"""The list of allowed system calls and Landlock each keep a program from changing a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HUMANEVAL = Path(__file__).resolve().parents[5] / "paddle_impl" / "evaluation" / "humaneval"
TRIED = {
    "empty without reading or writing": "os.open(path, 3 | os.O_TRUNC)",
    "empty while reading": "os.open(path, os.O_RDONLY | os.O_TRUNC)",
    "write": "os.open(path, os.O_WRONLY)",
    "read and write": "os.open(path, os.O_RDWR)",
    "make": "os.open(path + '.new', os.O_RDONLY | os.O_CREAT)",
    "make nameless": "os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR)",
}
if os.uname().machine == "x86_64":  # ARM has openat only
    TRIED["the older call"] = "older_open(path, 3 | os.O_TRUNC)"
CODE = """
import ctypes, json, os, sys
sys.path.insert(0, sys.argv[1])
from jail import calls, kernel, walls

def older_open(path, flags):
    if ctypes.CDLL(None).syscall(2, path.encode(), flags) < 0:
        raise OSError

path, done = sys.argv[2], []
walls.readable = lambda: [os.path.dirname(path)]
kernel.gain_nothing()
try:
    {wall}
except kernel.Missing as error:
    sys.exit(f"refused: {{error}}")
for name, tried in json.loads(sys.argv[3]).items():
    try:
        eval(tried)
    except OSError:
        continue
    done.append(name)
print(json.dumps(done))
assert open(path).read() == ("" if done else "whole")
"""


def done(wall: str, directory: Path) -> list[str]:
    """The attempts in TRIED that succeed under this isolation alone, on a file in the directory."""
    path = directory / "file"
    path.write_text("whole")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CODE.format(wall=wall), HUMANEVAL, path,
         json.dumps(TRIED)], capture_output=True, text=True, check=False)
    if "refused: " in ended.stderr:
        pytest.skip(ended.stderr)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found or sorted(directory.iterdir()) == [path]
    return found


def test_without_a_wall_each_is_done(tmp_path):
    assert done("pass", tmp_path) == list(TRIED)


def test_the_list_of_system_calls(tmp_path):
    assert done("calls.allow()", tmp_path) == []


def test_landlock(tmp_path):
    """Before Linux 6.2 Landlock does not prevent that a file is emptied."""
    version = "kernel.syscall('landlock_create_ruleset', None, 0, 1)"
    assert done(f"{version} < 3 and sys.exit('refused: Linux before 6.2'); walls.confine_files()",
                tmp_path) == []
