"""The evaluation from tasks to pass@k: HumanEval's 164 tasks, known solutions, and files."""

import json
import os
from pathlib import Path

import pytest

from paddle_impl.evaluation.humaneval import evaluating, run, sandbox
from paddle_impl.evaluation.humaneval.tasks import read_samples, read_tasks

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def humaneval() -> Path:
    shared = Path(os.environ.get("GPT_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = shared / "humaneval" / "HumanEval.jsonl.gz"
    if not path.exists():
        pytest.skip(f"HumanEval is not in {shared}; set GPT_SHARED_DATA")
    return path


def wrong(prompts, keys):
    return [["    return None\n", "    pass\n"] for _ in prompts]


def injecting(tasks, name: str, complete=wrong):
    """`complete`, but with the solution of one task as its second sample."""
    solutions = {task.key: task.canonical_solution for task in tasks if task.task_id == name}

    def injected(prompts, keys):
        found = complete(prompts, keys)
        return [[own[0], solutions.get(key, own[1]), *own[2:]]
                for own, key in zip(found, keys, strict=True)]

    return injected


def test_the_solutions_of_all_164_tasks_pass(walls, humaneval):
    tasks = read_tasks(humaneval)
    solutions = {task.key: task.canonical_solution for task in tasks}
    report = run(humaneval, complete=lambda prompts, keys: [[solutions[key]] for key in keys],
                 allow_code_execution=True, execution_timeout=30.0, k=(1,))
    assert report.counts == {f"HumanEval/{i}": (1, 1) for i in range(164)}
    assert report.pass_at_k == {1: 1.0}


def test_one_solution_scores_exactly_its_task(walls, tasks_file, tmp_path):
    tasks = read_tasks(tasks_file)
    report = run(tasks_file, complete=injecting(tasks, "test/order"), allow_code_execution=True,
                 samples_file=tmp_path / "s.jsonl", k=(1, 2, 100), execution_timeout=10.0)
    assert report.counts == {"test/twice": (2, 0), "test/order": (2, 1), "test/letters": (2, 0)}
    assert report.pass_at_k == {1: pytest.approx(1 / 6), 2: pytest.approx(1 / 3)}
    assert report.verdicts == {"passed": 1, "failed": 5, "timed out": 0}
    assert report.numbers()["passed"] == {"test/twice": 0, "test/order": 1, "test/letters": 0}
    assert json.loads(json.dumps(report.numbers()))["pass@2"] == report.pass_at_k[2]
    assert "pass@1            16.67 %" in report.text() and report.walls[0] in report.text()


TWICE = {"task_id": "a", "entry_point": "f", "prompt": "def f(x):\n",
         "canonical_solution": "    return 2 * x\n",
         "test": "def check(candidate):\n    assert candidate(3) == 6\n"}


def judged(directory: Path, tasks: list[dict], completions: list[tuple[str, str]]):
    """The report on samples (task_id, completion), and the result of each."""
    (directory / "t.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    (directory / "s.jsonl").write_text("".join(
        json.dumps({"task_id": name, "completion": text}) + "\n" for name, text in completions))
    report = run(directory / "t.jsonl", samples_file=directory / "s.jsonl", k=(1,),
                 allow_code_execution=True, execution_timeout=5.0)
    lines = report.results_file.read_text().splitlines()
    return report, [json.loads(line)["result"] for line in lines]


@pytest.mark.parametrize(("change", "why"), [
    ({"test": "import numpy\ndef check(candidate):\n    pass\n"},
     "the tests cannot run: ModuleNotFoundError: No module named 'numpy'; the canonical solution "
     "does not pass either"),
    ({"test": "def check(candidate):\n    assert candidate(3) == 7\n"},
     "the canonical solution failed: AssertionError: "),
    ({"test": "def check(candidate):\n    assert candidate(3).real == candidate(3).unreal\n"},
     "the canonical solution failed: AttributeError: 'int' object has no attribute 'unreal'"),
    ({"entry_point": "g"}, "the canonical solution failed: NameError: the program defines no g"),
    ({"canonical_solution": "    while True:\n        pass\n"},
     "the canonical solution timed out"),
    ({"canonical_solution": "", "test": "def check(candidate):\n    nothing\n"},
     "the tests cannot run: NameError: name 'nothing' is not defined"),
])
def test_what_no_right_program_passes_leaves_no_measurement(walls, tmp_path, change, why):
    tasks = [TWICE, {**TWICE, **change, "task_id": "b"}]
    report, results = judged(tmp_path, tasks, [("a", "    return 2 * x\n"), ("b", "    pass\n")])
    assert results == ["passed", f"not judged: {why}"]
    assert report.pass_at_k == {} and report.not_judged == {"b": why}
    assert report.verdicts == {"passed": 1, "failed": 0, "timed out": 0, "not judged": 1}
    assert f"    b: {why}" in report.text() and "pass@1" not in report.text()
    numbers = report.numbers()
    assert numbers["not_judged"] == {"b": why} and "pass@1" not in numbers


@pytest.mark.parametrize("solution", ["    return 2 * x\n", None])
def test_where_a_right_program_passes_an_error_in_the_tests_is_a_failure(
        walls, tmp_path, solution):
    """The known solution shows it, or a sample that passes."""
    task = {**TWICE, "canonical_solution": solution,
            "test": "def check(candidate):\n    assert candidate(3) == 6, explanation\n"}
    passing = [] if solution else [("a", TWICE["canonical_solution"])]
    report, results = judged(tmp_path, [task], [*passing, ("a", "    return 5\n")])
    assert results[-1] == "failed: the tests cannot run: NameError: name 'explanation' is not " \
                          "defined"
    assert report.not_judged == {} and report.pass_at_k == {1: len(passing) / 2}


def test_without_a_known_solution_failures_are_failures(walls, tmp_path):
    report, results = judged(tmp_path, [{**TWICE, "canonical_solution": " \n"}],
                             [("a", "    return 5\n"), ("a", "    return None + x\n")])
    assert [result.partition(":")[0] for result in results] == ["failed", "failed"]
    assert report.pass_at_k == {1: 0.0}


def test_the_known_solution_is_judged_where_no_sample_passes(walls, tasks_file, monkeypatch):
    judged, judge = [], sandbox.Sandbox.judge
    monkeypatch.setattr(sandbox.Sandbox, "judge", lambda self, task, completion:
                        judged.append(task.task_id) or judge(self, task, completion))
    tasks = read_tasks(tasks_file)
    run(tasks_file, complete=injecting(tasks, "test/order"), allow_code_execution=True, k=(1,),
        execution_timeout=10.0)
    assert sorted(judged[6:]) == ["test/letters", "test/twice"]


def test_results_are_in_human_evals_form(walls, tasks_file, tmp_path):
    samples = tmp_path / "s.jsonl"
    tasks = read_tasks(tasks_file)
    report = run(tasks_file, complete=injecting(tasks, "test/twice"), samples_file=samples,
                 allow_code_execution=True, k=(1,), execution_timeout=10.0)
    drawn = [json.loads(line) for line in samples.read_text().splitlines()]
    assert [list(line) for line in drawn] == [["task_id", "completion"]] * 6
    results = [json.loads(line) for line in report.results_file.read_text().splitlines()]
    assert report.results_file == tmp_path / "s.jsonl_results.jsonl"
    assert [{name: line[name] for name in ("task_id", "completion")} for line in results] == drawn
    assert [line["passed"] for line in results] == [False, True] + [False] * 4
    assert results[0]["result"] == "failed: AssertionError: "
    again = run(tasks_file, samples_file=samples, allow_code_execution=True, k=(1,),
                execution_timeout=10.0)
    assert again.counts == report.counts


def test_without_permission_nothing_is_run(tasks_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox.subprocess, "Popen", None)
    samples = tmp_path / "s.jsonl"
    report = run(tasks_file, complete=wrong, samples_file=samples)
    assert len(samples.read_text().splitlines()) == report.samples == 6
    assert report.pass_at_k is None and report.results_file is None
    assert "no program was run" in report.text() and str(samples) in report.text()
    assert report.numbers() == {"tasks": 3, "samples": 6, "empty": 0}


def test_empty_samples_are_counted(tasks_file, tmp_path):
    report = run(tasks_file, complete=lambda prompts, keys: [["", "x"] for _ in prompts],
                 samples_file=tmp_path / "s.jsonl")
    assert report.numbers()["empty"] == 3 and "3 of them are empty" in report.text()


def test_samples_that_exist_are_not_written_over(tasks_file, tmp_path):
    samples = tmp_path / "s.jsonl"
    run(tasks_file, complete=wrong, samples_file=samples)
    before = samples.read_bytes()
    with pytest.raises(ValueError, match="holds samples: name another samples_file"):
        run(tasks_file, complete=wrong, samples_file=samples)
    assert samples.read_bytes() == before


def test_samples_are_in_the_file_as_soon_as_their_tasks_are_done(tasks_file, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "_AT_ONCE", 2)

    def failing(prompts, keys):
        if "letters" in prompts[0]:
            raise RuntimeError("out of memory")
        return wrong(prompts, keys)

    with pytest.raises(RuntimeError):
        run(tasks_file, complete=failing, samples_file=tmp_path / "s.jsonl")
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 4


def test_compressed_samples_are_read_back(tasks_file, tmp_path):
    samples = tmp_path / "s.jsonl.gz"
    run(tasks_file, complete=wrong, samples_file=samples)
    assert samples.read_bytes()[:2] == b"\x1f\x8b"
    tasks = read_tasks(tasks_file)
    assert [sample.completion for sample in read_samples(samples, tasks)] == wrong("abc", ())[0] * 3


def test_progress_sees_tasks_and_programs(walls, tasks_file, monkeypatch):
    lengths = []

    def progress(items):
        lengths.append(len(items))
        return items

    monkeypatch.setattr(evaluating, "_AT_ONCE", 2)
    run(tasks_file, complete=wrong, allow_code_execution=True, k=(1,), execution_timeout=10.0,
        progress=progress)
    assert lengths == [2, 6]


def test_a_sandbox_that_breaks_is_no_failed_program(walls, tasks_file, monkeypatch):
    box = sandbox.Sandbox(10.0, 256)
    monkeypatch.setattr(sandbox, "_START", "print('{\"missing\": \"fork: no more\"}')")
    tasks = read_tasks(tasks_file)
    with pytest.raises(OSError, match="fork: no more"):
        evaluating.judge(box, tasks, [evaluating.Sample("test/twice", "")], workers=1)


@pytest.mark.parametrize(("more", "message"), [
    ({"k": ()}, "k must hold numbers from 1"),
    ({"k": (0,)}, "k must hold numbers from 1"),
    ({"k": (10,), "allow_code_execution": True}, "pass@10 needs 10 samples of each task, one has"),
    ({"workers": 0}, "workers must be at least 1, got 0"),
    ({}, "samples need a samples_file"),
    ({"complete": None, "allow_code_execution": True}, "samples need a samples_file"),
    ({"complete": None, "samples_file": "s.jsonl"}, "nothing to do with samples that exist"),
])
def test_what_does_not_go_together(walls, tasks_file, more, message):
    with pytest.raises(ValueError, match=message):
        run(tasks_file, **{"complete": wrong, **more})
