"""The measure of run_evaluation.py --infill."""

import os
from pathlib import Path

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.evaluation import files
from paddle_impl.evaluation.humaneval.evaluating import NOT_JUDGED, judge, settled
from paddle_impl.evaluation.humaneval.sandbox import Sandbox
from paddle_impl.evaluation.humaneval.tasks import read_tasks
from paddle_impl.evaluation.infilling.filling import LEFT_TO_RIGHT, fill
from paddle_impl.evaluation.infilling.scores import edit_similarity, exact_match
from paddle_impl.evaluation.infilling.spans import KINDS, Gap, gaps
from paddle_impl.evaluation.progress import progress_bar
from paddle_impl.text.generator import TextGenerator


def measure(config: EvaluationConfig, model, tokenizer) -> tuple[str, dict]:
    """Exact match and edit similarity of each kind of gap; with --allow_code_execution the share of
    programs that pass the task's tests, too.
    """
    options, code, seed = config.infilling, config.humaneval, config.runtime.seed
    tasks = read_tasks(Path(options.infill))
    cut_out = [gap for task in tasks for gap in gaps(task, seed, options.infill_spans)]
    sandbox = Sandbox(code.execution_timeout, code.execution_memory_mib) \
        if code.allow_code_execution else None
    answers, cut = fill(
        TextGenerator(model, tokenizer), cut_out, mode=options.infill_mode,
        max_new_tokens=config.decoding.max_dec_len, language=config.prompts.language,
        progress=progress_bar(len(cut_out)))
    results = None if sandbox is None else _judged(sandbox, tasks, cut_out, answers)
    numbers = {
        "file": options.infill, "infill_mode": options.infill_mode, "seed": seed,
        "infill_spans": options.infill_spans, "max_new_tokens": config.decoding.max_dec_len,
        "language": config.prompts.language, "tasks": len(tasks), "cut": cut,
        **{kind: _scores(kind, cut_out, answers, results) for kind in (*KINDS, "all")},
    }
    if results is not None:
        numbers |= {
            "execution_timeout": code.execution_timeout,
            "execution_memory_mib": code.execution_memory_mib, "sandbox": list(sandbox.walls),
            "not_judged": {gap.task.task_id: result.removeprefix(NOT_JUDGED)
                           for gap, result in zip(cut_out, results, strict=True)
                           if result.startswith(NOT_JUDGED)},
        }
    return _shown(numbers), numbers


def _judged(sandbox: Sandbox, tasks, cut_out: list[Gap], answers: list[str]) -> list[str]:
    """The verdict of each program. Equal programs of a task run once."""
    samples = [gap.filled(answer) for gap, answer in zip(cut_out, answers, strict=True)]
    different, workers = list(dict.fromkeys(samples)), len(os.sched_getaffinity(0))
    results = judge(sandbox, tasks, different, workers, progress_bar())
    found = dict(zip(different, settled(sandbox, tasks, different, results, workers), strict=True))
    return [found[sample] for sample in samples]


def _scores(kind: str, cut_out: list[Gap], answers: list[str], results) -> dict:
    """Means over the gaps of the kind, or over all; of a kind without gaps only their number."""
    own = [number for number, gap in enumerate(cut_out) if kind in (gap.kind, "all")]
    if not own:
        return {"gaps": 0}
    pairs = [(answers[number], cut_out[number].middle) for number in own]
    scores = {
        "gaps": len(own),
        "exact_match": sum(exact_match(*pair) for pair in pairs) / len(own),
        "edit_similarity": sum(edit_similarity(*pair) for pair in pairs) / len(own),
    }
    if results is not None and not any(results[number].startswith(NOT_JUDGED) for number in own):
        scores["passed"] = sum(results[number] == "passed" for number in own) / len(own)
    return scores


def _shown(numbers: dict) -> str:
    what = "prefix only" if numbers["infill_mode"] == LEFT_TO_RIGHT else numbers["infill_mode"]
    title = (f"{numbers['file']}: gaps of {numbers['tasks']:,} tasks, {what}; "
             f"{numbers['cut']:,} prompts cut")
    rows = [(f"{kind.replace('_', ' ')}: {name.replace('_', ' ')}", numbers[kind][name],
             f"of {numbers[kind]['gaps']:,} gaps")
            for kind in (*KINDS, "all") for name in ("exact_match", "edit_similarity", "passed")
            if name in numbers[kind]]
    unjudged = numbers.get("not_judged", {})
    return "\n".join([files.table(title, rows), *(
        f"  not judged: {task}: {why}" for task, why in unjudged.items())])
