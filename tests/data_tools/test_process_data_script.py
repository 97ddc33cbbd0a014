"""scripts/process_data.sh, with replacements of setup.sh and python that print their arguments."""

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "process_data.sh"


def test_the_script_passes_paths_of_the_caller_and_flags_on(tmp_path):
    project, caller = tmp_path / "project", tmp_path / "caller"
    for folder in (project / "scripts", project / ".venv" / "bin", caller):
        folder.mkdir(parents=True)
    shutil.copy(SCRIPT, project / "scripts")
    (project / "scripts" / "setup.sh").write_text("echo setup\n")
    python = project / ".venv" / "bin" / "python"
    python.write_text('#!/usr/bin/env bash\necho "$PWD"; printf "%s\\n" "$@"\n')
    python.chmod(0o755)

    def lines(*arguments):
        command = ["bash", "../project/scripts/process_data.sh", *arguments]
        run = subprocess.run(command, cwd=caller, capture_output=True, text=True, check=True)
        return run.stdout.splitlines()

    start = ["setup", str(project), "-m", "data_tools.create_pretraining_data"]
    start += ["--output_prefix", "data_tools/code_python"]
    assert lines() == start
    assert lines("my code", "/abs.zip", "--seed", "5") == [
        *start,
        "--input_path",
        f"{caller}/my code",
        "/abs.zip",
        "--seed",
        "5",
    ]
