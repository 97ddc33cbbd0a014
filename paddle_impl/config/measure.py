"""Flags of what run_evaluation.py measures."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_at_least_one


@dataclass(frozen=True, kw_only=True)
class MeasureOptions(Options):
    """Flags of what to measure and how. --input_dir, for a dataset, is in DataOptions."""

    wikitext: str | None = flag(
        None, "measure the perplexity of a WikiText file, raw text, a token and a word")
    lambada: str | None = flag(
        None, 'measure how often the last word is right: JSON lines with "text", or plain lines')
    minitest: bool = flag(False, "continue ten fixed prompts, greedily and sampled")
    compare: list[str] | None = flag(
        None, "show files that --minitest wrote to --output_file side by side; with --minitest "
        "checkpoint directories, which are measured first")
    split_name: str = flag("valid", "which documents to measure", choices=("valid", "test"))
    stride: int | None = flag(
        None, "with --input_dir: tokens a window moves on (default: half a window)")
    overlapping_eval: int = flag(32, "with --wikitext: tokens a window moves on")
    strict_lambada: bool = flag(
        True, "the whole last word must be right; false: only the last token of the text")

    def __post_init__(self):
        require_at_least_one(self, "stride", "overlapping_eval")


@dataclass(frozen=True, kw_only=True)
class HumanEvalOptions(Options):
    humaneval: str | None = flag(
        None, "draw functions for the tasks of HumanEval.jsonl or .jsonl.gz: pass@k")
    num_samples: int = flag(20, "with --humaneval: samples of each task; 200 in the paper")
    samples_file: str | None = flag(
        None, "with --humaneval: where samples go, as JSON lines with task_id and completion; "
        "without a model those of the file are judged")
    allow_code_execution: bool = flag(
        False, "with --humaneval and --infill: run what the model wrote, in a sandbox, to judge it")
    execution_timeout: float = flag(3.0, "seconds that a program may take")
    execution_memory_mib: int = flag(1024, "MiB of memory that a program may take")

    def __post_init__(self):
        require_at_least_one(self, "num_samples", "execution_memory_mib")
        require(0.0 < self.execution_timeout < float("inf"),
                f"--execution_timeout must be above 0, got {self.execution_timeout}")
        if self.humaneval is None:
            return
        require(self.allow_code_execution or self.samples_file is not None,
                "--humaneval writes samples: name a file with --samples_file, or let what the "
                "model wrote be run and judged with --allow_code_execution")
        self.check_execution()

    def check_execution(self) -> None:
        """Check that limits are given only where something runs."""
        for name in self.given():
            require(self.allow_code_execution or not name.startswith("execution_"),
                    f"--{name} means nothing without --allow_code_execution")


@dataclass(frozen=True, kw_only=True)
class E2EOptions(Options):
    e2e: list[str] | None = flag(
        None, "REFS SYS ...: BLEU, NIST, METEOR, ROUGE_L and CIDEr of outputs, a line each; REFS "
        "has references a line each with blank lines between instances, or is the data, "
        "mr||text lines or .csv")
    e2e_rows: bool = flag(
        False, "with --e2e: measure also the meaning representations themselves, one template for "
        "all, and a human reference against the others; REFS is the data")
    java_timeout: float = flag(1800.0, "with --e2e: seconds that METEOR may take for one system")

    def __post_init__(self):
        require(0 < self.java_timeout <= 1e6, "--java_timeout must be above 0 and at most 1e6, got "
                f"{self.java_timeout}")
        if self.e2e is not None:
            require(len(self.e2e) > 1 or self.e2e_rows,
                    "--e2e takes a file of references and one or more of outputs, REFS SYS ...: "
                    "name the outputs too, or pass --e2e_rows")


@dataclass(frozen=True, kw_only=True)
class InfillOptions(Options):
    infill: str | None = flag(
        None, "fill gaps that are cut into the canonical solutions of HumanEval.jsonl or "
        ".jsonl.gz, greedily: exact match, edit similarity")
    infill_mode: str = flag(
        "psm", "the order of the parts around a gap, as the model was trained (--fim_rate); "
        "left_to_right: the prefix only, for any model, and an answer of as many lines as the gap",
        choices=("psm", "spm", "left_to_right"))
    infill_spans: int = flag(
        10, "spans of several lines, and of characters, that are cut out of each solution, beside "
        "each single line")

    def __post_init__(self):
        require_at_least_one(self, "infill_spans")
