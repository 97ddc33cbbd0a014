"""Three tasks written for the tests, and fixtures that evaluate completions of them."""

import json
import os
import time
from pathlib import Path

import pytest

from paddle_impl.evaluation.humaneval import run, sandbox

TASKS = [
    {
        "task_id": "test/twice", "entry_point": "twice",
        "prompt": 'def twice(x):\n    """Twice x."""\n',
        "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(3) == 6\n"
                "    assert candidate(-1) == -2\n",
    },
    {
        "task_id": "test/order", "entry_point": "order",
        "prompt": "from typing import List\n\n\ndef bigger(a, b):\n    return a > b\n\n\n"
                  'def order(xs: List[int]) -> bool:\n    """Sort xs in place; was it sorted?"""\n',
        "canonical_solution": "    before = list(xs)\n    xs.sort()\n    return before == xs\n",
        "test": "def check(candidate):\n    given = [2, 1]\n    assert candidate(given) is False\n"
                "    assert given == [1, 2] and not bigger(*given)\n    assert candidate(given)\n",
    },
    {
        "task_id": "test/letters", "entry_point": "letters",
        "prompt": 'def letters(text):\n    """How often each letter comes."""\n',
        "canonical_solution": "    import collections\n    return collections.Counter(text)\n",
        "test": "def check(candidate):\n    assert candidate('abä') == {'a': 1, 'b': 1, 'ä': 1}\n",
    },
]


@pytest.fixture
def tasks_file(tmp_path) -> Path:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return path


@pytest.fixture(params=sandbox.KINDS)
def kind(request, monkeypatch) -> str:
    """Run the test with this kind of isolation only."""
    try:
        sandbox.Sandbox(1.0, 256, request.param)
    except ValueError as error:
        if "behind these walls" in str(error):  # they stand, and something gets through
            raise
        pytest.skip(str(error))  # the kernel refuses to raise them
    monkeypatch.setattr(sandbox, "KINDS", (request.param,))
    return request.param


class Running:
    """Finds running processes by an argument of their command line."""

    def __call__(self, sign: str) -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments = path.read_bytes().split(b"\0")
            except OSError:  # ended meanwhile
                continue
            if sign.encode() in arguments:
                found.append(path.parent.name)
        return found

    def gone(self, sign: str) -> None:
        until = time.monotonic() + 5  # the kernel may take a moment to end them
        while (left := self(sign)) and time.monotonic() < until:
            time.sleep(0.02)
        assert left == []


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
def evaluate(tasks_file, tmp_path, running):
    """Completions of test/twice, by name -> the result of each, by name.

    After each comes a right one of another task, which must pass. Nothing may be left running, and
    no more than the limits may have gone by.
    """

    def evaluate(
        completions: dict[str, str], seconds: float = 2.0, memory_mib: int = 512, workers: int = 3
    ) -> dict[str, str]:
        right = [(task["task_id"], task["canonical_solution"]) for task in TASKS[1:]]
        lines = []
        for number, completion in enumerate(completions.values()):
            lines += [("test/twice", completion), right[number % len(right)]]
        samples = tmp_path / "samples.jsonl"
        samples.write_text("".join(
            json.dumps({"task_id": name, "completion": text}) + "\n"
            for name, text in lines + right
        ))
        seconds += os.getpid() / 1e9  # a sign in the command line by which to know our processes
        began = time.monotonic()
        report = run(tasks_file, samples_file=samples, k=(1,), allow_code_execution=True,
                     execution_timeout=seconds, execution_memory_mib=memory_mib, workers=workers)
        assert time.monotonic() - began < 60 + len(lines) * (seconds + 6) / workers
        running.gone(str(seconds))
        found = [json.loads(line) for line in report.results_file.read_text().splitlines()]
        own = [line for line in found if line["task_id"] == "test/twice"]
        assert all(line["passed"] == (line["result"] == "passed") for line in found)
        assert all(line["passed"] for line in found if line not in own)
        assert report.counts["test/twice"] == (len(own), sum(line["passed"] for line in own))
        return dict(zip(completions, (line["result"] for line in own), strict=True))

    return evaluate
