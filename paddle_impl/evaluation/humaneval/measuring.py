"""The measure of run_evaluation.py --humaneval."""

import shlex

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.evaluation import files
from paddle_impl.evaluation.humaneval.completing import completer
from paddle_impl.evaluation.humaneval.evaluating import run
from paddle_impl.evaluation.progress import progress_bar


def measure(config: EvaluationConfig, model, tokenizer) -> tuple[str, dict]:
    """pass@k of functions drawn for docstrings; without --allow_code_execution only the samples."""
    options, decoding = config.humaneval, config.decoding
    files.check_place(options.samples_file, "--samples_file")
    settings = {"num_samples": options.num_samples, "max_new_tokens": decoding.max_dec_len,
                "temperature": decoding.temperature, "top_p": decoding.top_p,
                "seed": config.runtime.seed}
    complete = None if model is None else completer(model, tokenizer, **settings)
    report = run(
        options.humaneval, complete=complete, samples_file=options.samples_file,
        allow_code_execution=options.allow_code_execution,
        execution_timeout=options.execution_timeout,
        execution_memory_mib=options.execution_memory_mib, progress=progress_bar(),
    )
    shown = report.text()
    if not options.allow_code_execution:
        shown = (f"HumanEval: {report.samples:,} samples of {report.tasks:,} tasks are in "
                 f"{options.samples_file}, {report.empty:,} of them empty; nothing was run. "
                 "To judge them:\n  "
                 + shlex.join(["python", "run_evaluation.py", "--humaneval", options.humaneval,
                               "--samples_file", options.samples_file, "--allow_code_execution"]))
    judged = {"execution_timeout": options.execution_timeout,
              "execution_memory_mib": options.execution_memory_mib}
    return shown, {
        "file": options.humaneval, "samples_file": options.samples_file,
        **(settings if complete else {}), **(judged if options.allow_code_execution else {}),
        **report.numbers(),
    }
