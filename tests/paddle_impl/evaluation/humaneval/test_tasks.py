"""Files of tasks and samples: HumanEval's own, and invalid ones."""

import gzip
import json

import pytest

from paddle_impl.evaluation.humaneval.tasks import Sample, as_program, read_samples, read_tasks


def test_compressed_and_plain_are_the_same(tasks_file, tmp_path):
    packed = tmp_path / "TASKS.JSONL.GZ"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf\n" + tasks_file.read_bytes()))
    tasks = read_tasks(packed)
    assert tasks == read_tasks(tasks_file)
    assert [task.entry_point for task in tasks] == ["twice", "order", "letters"]


def test_the_key_belongs_to_the_task_alone(tasks_file, tmp_path):
    last = tmp_path / "last.jsonl"
    last.write_text(tasks_file.read_text().splitlines()[-1])
    keys = [task.key for task in read_tasks(tasks_file)]
    assert len(set(keys)) == 3 and read_tasks(last)[0].key == keys[-1]


GOOD = {"task_id": "t", "prompt": "def f():\n    ''\n", "entry_point": "f",
        "canonical_solution": "", "test": ""}


@pytest.mark.parametrize(("lines", "message"), [
    ([], "holds no task"),
    (["{"], "line 1: not JSON"),
    (["[" * 100_000], "line 1: not JSON"),
    ([json.dumps(GOOD), "[]"], "line 2: expected an object with the texts task_id, prompt"),
    ([json.dumps({**GOOD, "test": None})], "line 1: expected an object with the texts"),
    ([json.dumps({k: v for k, v in GOOD.items() if k != "entry_point"})], "entry_point"),
    ([json.dumps(GOOD)] * 2, "line 2: t is there twice"),
    ([json.dumps({**GOOD, "prompt": "def f(:\n"})], "the prompt of t is no program by itself"),
    ([json.dumps({**GOOD, "prompt": "\0"})], "the prompt of t is no program by itself"),
    ([json.dumps({**GOOD, "canonical_solution": 1})], "expected an object with the texts"),
])
def test_another_form_is_refused(tmp_path, lines, message):
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        read_tasks(path)


@pytest.mark.parametrize("prompt", [
    "def f(x):\n", "def f(x):", "def f(x):\n\n", "def f(x):\n    # Twice\n", "def f(x):\n\t# x\n",
    "def g():\n    return 1\n\n\ndef f(\n        x,\n) -> int:\n",
    "class A:\n    def __init__(self):\n        self.y = 1\n\n    def f(self,\n          x):\n",
    "def f(x):\n    for y in x:\n",
])
def test_a_prompt_may_end_in_a_signature(tmp_path, prompt):
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps({**GOOD, "prompt": prompt}))
    (task,) = read_tasks(path)
    assert task.prompt == prompt
    scope = {}
    exec(as_program(prompt), scope)
    assert scope.get("A", scope.get("f")).__name__ in "Af"


def test_a_program_stays_as_it_is():
    for prompt in (GOOD["prompt"], "import os\n", "", "def f(): pass"):
        assert as_program(prompt) == prompt


def test_a_task_needs_no_solution(tmp_path):
    path = tmp_path / "tasks.jsonl"
    without = {name: value for name, value in GOOD.items() if name != "canonical_solution"}
    path.write_text(json.dumps(without) + "\n" + json.dumps(
        {**GOOD, "task_id": "u", "canonical_solution": None}))
    assert [task.canonical_solution for task in read_tasks(path)] == ["", ""]


@pytest.mark.parametrize(("name", "content"), [
    ("a.gz", b"plain"), ("b.gz", gzip.compress(b"{}\n" * 999, mtime=0)[:-9]),
    ("c.jsonl", b"\xff\xfe{"),
])
def test_what_is_no_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_tasks(tmp_path / name)


def test_samples_made_elsewhere(tasks_file, tmp_path):
    path = tmp_path / "samples.jsonl"
    lines = [{"task_id": f"test/{name}", "completion": "    pass\n", "model": "another"}
             for name in ("order", "twice", "letters", "order")]
    path.write_text("\n".join(map(json.dumps, lines)))
    samples = read_samples(path, read_tasks(tasks_file))
    assert samples[0] == Sample("test/order", "    pass\n") and len(samples) == 4


@pytest.mark.parametrize(("names", "message"), [
    (["test/twice"], "no sample of 2 of 3 tasks, test/order the first"),
    (["test/twice", "HumanEval/0"], "line 2: no task is called 'HumanEval/0'"),
])
def test_samples_of_other_tasks(tasks_file, tmp_path, names, message):
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(json.dumps({"task_id": n, "completion": ""}) for n in names))
    with pytest.raises(ValueError, match=message):
        read_samples(path, read_tasks(tasks_file))


def test_a_line_keeps_every_text():
    sample = Sample("t", "ä\ud800\0\n")
    assert json.loads(sample.line(passed=True)) == {
        "task_id": "t", "completion": "ä\ud800\0\n", "passed": True,
    }
