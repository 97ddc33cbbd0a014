"""Flags of run_evaluation.py."""

from dataclasses import dataclass

from paddle_impl.config.adapter import AdapterOptions
from paddle_impl.config.classify import ClassifyOptions, TextsOptions
from paddle_impl.config.data import DataOptions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.judge import JudgeOptions
from paddle_impl.config.measure import E2EOptions, HumanEvalOptions, InfillOptions, MeasureOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.options import Options, changed, group, require
from paddle_impl.config.prompts import OutputOptions, PromptOptions
from paddle_impl.config.runtime import RuntimeOptions

# The flags that choose what is measured. Exactly one of them is given.
MODES = ("input_dir", "wikitext", "lambada", "minitest", "compare", "humaneval", "infill",
         "e2e", "judge", "classify")
# Flags that only some of MODES use: flag -> those modes.
_OF = {
    "split": ("input_dir",), "split_name": ("input_dir",), "stride": ("input_dir",),
    "max_seq_len": ("input_dir", "wikitext", "lambada"), "overlapping_eval": ("wikitext",),
    "strict_lambada": ("lambada",), "seed": ("minitest", "humaneval", "infill", "judge"),
    **dict.fromkeys(("num_samples", "temperature", "top_p", "samples_file"), ("humaneval",)),
    **dict.fromkeys(("max_dec_len", "allow_code_execution", "execution_timeout",
                     "execution_memory_mib"), ("humaneval", "infill")),
    **dict.fromkeys(("e2e_rows", "java_timeout"), ("e2e",)),
    **dict.fromkeys((one.name for one in JudgeOptions.flags()), ("judge",)),
    **dict.fromkeys(("confusion_file", "train_texts", "text_column", "label_column", "header",
                     "legacy_quoting"), ("classify",)),
    **dict.fromkeys(("infill_mode", "infill_spans", "language"), ("infill",)),
    **dict.fromkeys(("adapter", "vocab_file", "merge_file"),
                    ("input_dir", "wikitext", "lambada", "minitest", "humaneval", "infill",
                     "classify")),
}


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(Options):
    """All flags of the command. ValueError, which names the flag, if they do not go together."""

    model: ModelOptions = group(
        ModelOptions, only=("model_name_or_path", "vocab_file", "merge_file"),
        model_name_or_path=None, model_type="gpt2-en",
    )
    adapter: AdapterOptions = group(AdapterOptions)
    data: DataOptions = group(
        DataOptions, only=("input_dir", "split", "max_seq_len"),
        input_dir=changed(None, "measure the loss on a dataset: a directory with X_ids.npy + "
                          "X_idx.npz, or one X_ids.npy"),
        split=changed(help="the --split of the training run; with --input_dir"),
        max_seq_len=changed(None, "tokens in a window (default: the model's positions)"),
    )
    measure: MeasureOptions = group(MeasureOptions)
    humaneval: HumanEvalOptions = group(HumanEvalOptions)
    infilling: InfillOptions = group(InfillOptions)
    e2e: E2EOptions = group(E2EOptions)
    judge: JudgeOptions = group(JudgeOptions)
    classifying: ClassifyOptions = group(ClassifyOptions)
    texts: TextsOptions = group(TextsOptions, train_texts=changed(
        help="with --classify: the texts that the classifier was trained on"))
    prompts: PromptOptions = group(PromptOptions, only=("language",))
    decoding: DecodingOptions = group(
        DecodingOptions, only=("max_dec_len", "temperature", "top_p"), top_k=0, min_dec_len=0,
        max_dec_len=changed(256, "with --humaneval and --infill: new tokens at most"),
        temperature=changed(0.2, "with --humaneval: divides the logits; above 0"),
        top_p=changed(0.95, "with --humaneval: sample among the likeliest tokens that reach this "
                      "probability"),
    )
    runtime: RuntimeOptions = group(
        RuntimeOptions,
        seed=changed(help="seed of the draws of --minitest, --humaneval and --infill, and of the "
                     "replies of --judge"))
    output: OutputOptions = group(
        OutputOptions, output_file=changed(
            help="one JSON object with the numbers; with --compare a page, X.html, beside which "
            "X.txt is written, and with --minitest X_1.json and so on"))

    def __post_init__(self):
        self.adapter.check_alone()
        self._check_mode()
        if self.mode == "infill":
            self.humaneval.check_execution()
        if self.mode == "humaneval" and not self.names_a_model:
            self._check_judging()

    @property
    def names_a_model(self) -> bool:
        return self.model.model_name_or_path is not None or self.adapter.alone is not None

    @property
    def mode(self) -> str:
        """Which of MODES the flags choose."""
        return self._chosen_modes()[0]

    def _chosen_modes(self) -> list[str]:
        measure = self.measure
        # With --compare it says that models are compared, and not files.
        minitest = measure.minitest and not measure.compare
        given = {"input_dir": self.data.input_dir, "wikitext": measure.wikitext,
                 "lambada": measure.lambada, "minitest": minitest,
                 "compare": measure.compare, "humaneval": self.humaneval.humaneval,
                 "infill": self.infilling.infill, "e2e": self.e2e.e2e, "judge": self.judge.judge,
                 "classify": self.classifying.classify}
        return [name for name in MODES if given[name]]

    def _check_mode(self) -> None:
        chosen = [f"--{name}" for name in self._chosen_modes()]
        every = ", ".join(f"--{name}" for name in MODES)
        require(len(chosen) > 0, f"what to measure? Name one of {every}")
        require(len(chosen) == 1, f"{' and '.join(chosen)} exclude each other: name one of {every}")
        mode = "minitest" if self.measure.minitest else self.mode
        for name in self.given():
            modes = _OF.get(name, MODES)
            require(mode in modes,
                    f"--{name} is for {' and '.join(f'--{mode}' for mode in modes)}, "
                    f"not for --{mode}")
        if self.mode == "compare":
            self._check_comparison()
        elif self.mode in ("e2e", "judge"):
            require(self.model.model_name_or_path is None, "--model_name_or_path is not for "
                    f"--{self.mode}, which measures a file of outputs")
        elif self.mode != "humaneval":
            require(self.names_a_model,
                    f"--{self.mode} needs a checkpoint: name it with --model_name_or_path")

    def _check_comparison(self) -> None:
        for name in self.given():
            require(name not in ("model_name_or_path", "adapter", "vocab_file"),
                    f"--{name} is not for "
                    "--compare, which takes files, or checkpoints with --minitest")
        page = self.output.output_file
        require(page is None or page.endswith(".html"),
                f"--output_file {page} of --compare is a page, with the text and each model's "
                "answers beside it: let its name end in .html")

    def _check_judging(self) -> None:
        """Check that, without a model, there are samples to judge."""
        code = self.humaneval
        require(code.samples_file is not None and code.allow_code_execution,
                "--humaneval needs a checkpoint that draws samples, --model_name_or_path, or "
                "samples to judge, --samples_file with --allow_code_execution")
        for name in self.given():
            require(name not in ("num_samples", "max_dec_len", "temperature", "top_p", "seed",
                                 "vocab_file"),
                    f"--{name} is for drawing samples, and needs --model_name_or_path")
