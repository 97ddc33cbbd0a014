"""`paddle-gpt COMMAND`: each command is the module that runs on its own."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import paddle_gpt

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", paddle_gpt.COMMANDS)
def test_a_command_runs_its_module_with_the_words_behind_it(name, monkeypatch):
    ran = []
    monkeypatch.setattr(sys, "argv", ["before"])
    monkeypatch.setattr(paddle_gpt.runpy, "run_module",
                        lambda module, **how: ran.append((module, how, sys.argv[1:])))
    paddle_gpt.main([name, "--seed", "3", "--help"])
    module = paddle_gpt.COMMANDS[name][0]
    how = {"run_name": "__main__", "alter_sys": True}
    assert ran == [(module, how, ["--seed", "3", "--help"])]
    assert find_spec(module) is not None


def test_the_modules_own_flags_and_exit_codes_are_kept(command, tmp_path):
    asked = command("-m", "paddle_gpt", "pretrain", "--help")
    assert asked.returncode == 0 and "--max_steps" in asked.stdout
    refused = command("-m", "paddle_gpt", "inspect", tmp_path / "nothing")
    assert refused.returncode == 2 and refused.stderr.startswith("error: ")


def test_the_list_of_commands_needs_nothing():
    """Standard library only: -S leaves site-packages out, -I the folder too."""
    process = subprocess.run([sys.executable, "-I", "-S", ROOT / "paddle_gpt.py", "--help"],
                             capture_output=True, text=True, check=True)
    assert process.stdout == paddle_gpt.usage() + "\n"
    assert all(f"\n  {name} " in process.stdout for name in paddle_gpt.COMMANDS)


@pytest.mark.parametrize(("words", "told"), [
    (["train"], "unknown command 'train' (known: prepare, inspect, "), ([], "a command is missing"),
    (["--seed"], "unknown command '--seed'"),
])
def test_what_is_no_command_is_refused_in_one_line(words, told, capsys):
    with pytest.raises(SystemExit) as stop:
        paddle_gpt.main(words)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1
    assert said.startswith(f"paddle-gpt: error: {told}")


def test_it_is_installed_under_its_name():
    project = (ROOT / "pyproject.toml").read_text()
    assert '\n[project.scripts]\npaddle-gpt = "paddle_gpt:main"\n' in project
    assert '"paddle_gpt"' in project
