"""Flags of run_evaluation.py."""

from dataclasses import dataclass, fields

from paddle_impl.config.options import flag, require, split_shares

# What can be measured, one at a time; the flags that name it.
MODES = ("input_dir", "wikitext", "lambada", "minitest", "compare", "humaneval")
# Flags that mean something to some of them only.
_OF = {
    "split": ("input_dir",), "split_name": ("input_dir",), "stride": ("input_dir",),
    "max_seq_len": ("input_dir", "wikitext", "lambada"), "overlapping_eval": ("wikitext",),
    "strict_lambada": ("lambada",), "seed": ("minitest", "humaneval"),
    **dict.fromkeys(("num_samples", "max_dec_len", "temperature", "top_p", "samples_file",
                     "allow_code_execution", "execution_timeout", "execution_memory_mib"),
                    ("humaneval",)),
    **dict.fromkeys(("vocab_file", "merge_file"),
                    ("input_dir", "wikitext", "lambada", "minitest", "humaneval")),
}


@dataclass(frozen=True)
class EvaluationConfig:
    model_name_or_path: str | None = flag(None, "a checkpoint directory")
    input_dir: str | None = flag(
        None, "measure the loss on a dataset: a directory with X_ids.npy + X_idx.npz, or one "
        "X_ids.npy")
    wikitext: str | None = flag(
        None, "measure the perplexity of a WikiText file, raw text, a token and a word")
    lambada: str | None = flag(
        None, 'measure how often the last word is right: JSON lines with "text", or plain lines')
    minitest: bool = flag(False, "continue ten fixed prompts, greedily and sampled")
    compare: list[str] | None = flag(
        None, "show files that --minitest wrote to --output_file side by side")
    humaneval: str | None = flag(
        None, "draw functions for the tasks of HumanEval.jsonl or .jsonl.gz: pass@k")
    split: str = flag("949,50,1", "the --split of the training run; with --input_dir")
    split_name: str = flag("valid", "which documents to measure", choices=("valid", "test"))
    max_seq_len: int | None = flag(None, "tokens in a window (default: the model's positions)")
    stride: int | None = flag(
        None, "with --input_dir: tokens a window moves on (default: half a window)")
    overlapping_eval: int = flag(32, "with --wikitext: tokens a window moves on")
    strict_lambada: bool = flag(
        True, "the whole last word must be right; false: only the last token of the text")
    num_samples: int = flag(20, "with --humaneval: samples of each task; 200 in the paper")
    max_dec_len: int = flag(256, "with --humaneval: new tokens at most")
    temperature: float = flag(0.2, "with --humaneval: divides the logits; above 0")
    top_p: float = flag(
        0.95, "with --humaneval: sample among the likeliest tokens that reach this probability")
    samples_file: str | None = flag(
        None, "with --humaneval: where samples go, as JSON lines with task_id and completion; "
        "without a model those of the file are judged")
    allow_code_execution: bool = flag(
        False, "with --humaneval: run what the model wrote, in a sandbox, to judge it")
    execution_timeout: float = flag(3.0, "seconds that a program may take")
    execution_memory_mib: int = flag(1024, "MiB of memory that a program may take")
    seed: int = flag(123, "seed of the draws of --minitest and --humaneval")
    vocab_file: str | None = flag(None, "vocab.json, where the checkpoint has no tokenizer")
    merge_file: str | None = flag(None, "merges.txt that belongs to --vocab_file")
    output_file: str | None = flag(None, "one JSON object with the numbers")
    device: str = flag("gpu", "where to run", choices=("cpu", "gpu", "xpu"))

    def __post_init__(self):
        self._check_mode()
        split_shares(self.split)
        for name in ("max_seq_len", "stride", "overlapping_eval", "num_samples", "max_dec_len",
                     "execution_memory_mib"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"--{name} must be at least 1, got {value}")
        require(0.0 < self.temperature < float("inf"),
                f"--temperature must be above 0, got {self.temperature}")
        require(0.0 < self.top_p <= 1.0, f"--top_p must lie in (0, 1], got {self.top_p}")
        require(0.0 < self.execution_timeout < float("inf"),
                f"--execution_timeout must be above 0, got {self.execution_timeout}")
        require(0 <= self.seed < 2**32, f"--seed must lie in [0, 2^32), got {self.seed}")
        require((self.vocab_file is None) == (self.merge_file is None),
                "--vocab_file and --merge_file go together: give both or neither")
        if self.humaneval is not None:
            self._check_humaneval()

    @property
    def mode(self) -> str:
        """Which of MODES is asked for."""
        return self._asked()[0]

    def _asked(self) -> list[str]:
        given = {"input_dir": self.input_dir, "wikitext": self.wikitext, "lambada": self.lambada,
                 "minitest": self.minitest, "compare": self.compare, "humaneval": self.humaneval}
        return [name for name in MODES if given[name]]

    def _check_mode(self) -> None:
        asked = [f"--{name}" for name in self._asked()]
        every = ", ".join(f"--{name}" for name in MODES)
        require(len(asked) > 0, f"what to measure? Name one of {every}")
        require(len(asked) == 1, f"{' and '.join(asked)} exclude each other: name one of {every}")
        for item in fields(self):
            modes = _OF.get(item.name, MODES)
            require(self.mode in modes or getattr(self, item.name) == item.default,
                    f"--{item.name} is for {' and '.join(f'--{name}' for name in modes)}, "
                    f"not for --{self.mode}")
        if self.mode == "compare":
            for name in ("model_name_or_path", "output_file"):
                require(getattr(self, name) is None,
                        f"--{name} is not for --compare, which prints what files hold")
        elif self.mode != "humaneval":
            require(self.model_name_or_path is not None,
                    f"--{self.mode} needs a checkpoint: name it with --model_name_or_path")

    def _check_humaneval(self) -> None:
        require(self.allow_code_execution or self.samples_file is not None,
                "--humaneval writes samples: name a file with --samples_file, or let what the "
                "model wrote be run and judged with --allow_code_execution")
        defaults = {item.name: item.default for item in fields(self)}
        for name in ("execution_timeout", "execution_memory_mib"):
            require(self.allow_code_execution or getattr(self, name) == defaults[name],
                    f"--{name} means nothing without --allow_code_execution")
        if self.model_name_or_path is not None:
            return
        require(self.samples_file is not None and self.allow_code_execution,
                "--humaneval needs a checkpoint that draws samples, --model_name_or_path, or "
                "samples to judge, --samples_file with --allow_code_execution")
        for name in ("num_samples", "max_dec_len", "temperature", "top_p", "seed", "vocab_file"):
            require(getattr(self, name) == defaults[name],
                    f"--{name} is for drawing samples, and needs --model_name_or_path")
