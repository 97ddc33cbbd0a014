"""Files of tasks and samples: HumanEval's own, and invalid ones."""

import gzip
import json

import pytest

from paddle_impl.evaluation.humaneval.tasks import Sample, read_samples, read_tasks


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
    ([json.dumps({**GOOD, "prompt": "def f():\n"})], "the prompt of t is no program by itself"),
])
def test_another_form_is_refused(tmp_path, lines, message):
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        read_tasks(path)


@pytest.mark.parametrize(("name", "content"), [
    ("a.gz", b"plain"), ("b.gz", gzip.compress(b"{}\n" * 999)[:-9]), ("c.jsonl", b"\xff\xfe{"),
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
