"""Tests that cannot run judge nothing, and cannot reach other processes; the rest is judged."""

import os
from dataclasses import replace

from paddle_impl.evaluation.humaneval import sandbox
from paddle_impl.evaluation.humaneval.tasks import read_tasks

CALL = "    assert candidate(3) == 6\n"
UNABLE = {
    "no Python": ("def check(candidate):\n    assert candidate(3) ==\n", "cannot run: SyntaxError"),
    "no check": ("def test(candidate):\n" + CALL, "define no check"),
    "a check that is no function": ("check = 1\n", "define no check"),
    "a missing module": ("import numpy\ndef check(candidate):\n" + CALL, "No module named 'numpy'"),
    "a missing module in check": ("def check(candidate):\n" + CALL + "    import numpy\n",
                                  "No module named 'numpy'"),
    "a missing name": ("def check(candidate):\n" + CALL + "    isclose(1, 1)\n", "NameError"),
    "an error at once": ("1 / 0\ndef check(candidate):\n" + CALL, "ZeroDivisionError"),
    "an error before any call": ("def check(candidate):\n    assert candidate.__name__\n" + CALL,
                                 "no attribute '__name__'"),
    "a function as argument": ("def check(candidate):\n" + CALL + "    candidate(len)\n",
                               "argument cannot be sent"),
}


def test_tests_that_cannot_run_judge_nothing(kind, tasks_file):
    box, task = sandbox.Sandbox(3.0, 256), read_tasks(tasks_file)[0]
    for test, says in UNABLE.values():
        verdict = box.judge(replace(task, test=test), "    return 2 * x\n")
        assert verdict.startswith("not judged: the tests ") and says in verdict
    verdict = box.judge(replace(task, prompt="import numpy\n" + task.prompt), "    return 2 * x\n")
    assert verdict == ("not judged: the prompt cannot run: ModuleNotFoundError: No module named "
                       "'numpy'")


BLAMED = {
    "raises a NameError": "    return y\n", "raises an ImportError": "    import numpy\n",
    "does not define it": "    pass\ndel twice\n", "does not load": "    pass\nimport numpy\n",
    "returns another type": "    return None\n", "returns nothing to loop over": "    return []\n",
    "returns a name": "    return 'y'\n",
}


def test_what_the_program_brings_about_is_its_failure(kind, tasks_file):
    task = replace(read_tasks(tasks_file)[0], test=(
        "def check(candidate):\n    found = candidate([1])\n    eval(str(found))\n"
        "    for one in found:\n        last = one\n    assert last == 1\n"))
    box = sandbox.Sandbox(3.0, 256)
    assert box.judge(task, "    return x\n") == "passed"
    for completion in BLAMED.values():
        assert box.judge(task, completion).startswith("failed: ")


def test_a_prompt_without_a_docstring(kind, tasks_file):
    task = replace(read_tasks(tasks_file)[1], prompt="def bigger(a, b):\n    return a > b\n\n\n"
                   "def order(xs):\n")
    box = sandbox.Sandbox(3.0, 256)
    assert box.judge(task, task.canonical_solution) == "passed"
    assert box.judge(task, "    return True\n").startswith("failed: AssertionError")


SIGNALS = """
import ctypes, fcntl, os, platform
arm = platform.machine() == "aarch64"

def call(*numbers):
    number, *arguments = numbers
    found = ctypes.CDLL(None).syscall(number[arm], *map(ctypes.c_long, arguments))
    if found < 0:
        raise OSError
    return found

def attempts(other):
    return {
        "kill": lambda: os.kill(other, 0),
        "kill all": lambda: os.kill(-1, 0),
        "kill the group": lambda: os.kill(0, 0),
        "kill another group": lambda: os.killpg(os.getpgid(other), 0),
        "kill the parent": lambda: os.kill(os.getppid(), 0),
        "tkill": lambda: call((200, 130), other, 0),
        "tgkill": lambda: call((234, 131), other, other, 0),
        "a pidfd": lambda: call((424, 424), call((434, 434), other, 0), 0, 0, 0),
        "owner of a pipe": lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, other),
    }

def done(other):
    found = []
    for name, attempt in attempts(other).items():
        try:
            attempt()
        except OSError:
            continue
        found.append(name)
    return found
"""


def test_tests_cannot_signal_other_processes(kind, tasks_file):
    """A tasks file may be hostile, too: its tests run beside the judge, not with the program."""
    scope = {}
    exec(SIGNALS, scope)
    assert set(scope["attempts"](0)) == set(scope["done"](os.getpid()))  # without walls
    test = (f"{SIGNALS}\ndef check(candidate):\n    assert candidate(3) == 6\n"
            f"    assert done({os.getpid()}) == [], done({os.getpid()})\n")
    task = replace(read_tasks(tasks_file)[0], test=test)
    assert sandbox.Sandbox(3.0, 256).judge(task, "    return 2 * x\n") == "passed"
