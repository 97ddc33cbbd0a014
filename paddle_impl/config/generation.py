"""Flags of run_generation.py: PaddleNLP's names and defaults."""

from dataclasses import dataclass

from paddle_impl.config.adapter import AdapterOptions
from paddle_impl.config.data import DataOptions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.engine import EngineOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.options import Options, changed, flag, group, require
from paddle_impl.config.prompts import OutputOptions, PromptOptions
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.serving import ServingFlags

# Defaults that depend on the mode.
_DEFAULTS = {"max_dec_len": 512, "temperature": 1.0, "top_k": 5}
_INTERACTIVE = {"max_dec_len": 128, "temperature": 0.7, "top_k": 0}
ALL = "0,1"  # of --split
_SERVING = tuple(one.name for one in ServingFlags.flags())
# Mode -> the flags that it uses. Without a mode, all flags but the server's are used.
_ALWAYS = ("model_name_or_path", "adapter", "model_type", "vocab_file", "merge_file", "device")
_MODES = {
    "interactive": (
        *_ALWAYS, "decode_strategy", "top_k", "top_p", "temperature", "num_beams",
        "length_penalty", "early_stopping", "beam_score", "repetition_penalty",
        "no_repeat_ngram_size", "min_dec_len", "max_dec_len", "eos_token_id", "stop", "seed",
        "decoder", "language", "chat",
    ),
    "serve": (*_ALWAYS, "eos_token_id", "batch_size", "decoder", "language", "fim_mode", *_SERVING),
    "export": _ALWAYS,
    "classify": (*_ALWAYS, "prompt", "prompt_file", "output_file", "batch_size"),
}


@dataclass(frozen=True, kw_only=True)
class ModeOptions(Options):
    """Flags of what to do instead of continuing prompts."""

    interactive: bool = flag(
        False, "type prompts in a conversation; `help` there lists its commands, `exit` ends it")
    serve: bool = flag(False, "answer OpenAI's completion requests over HTTP until Ctrl-C")
    classify: bool = flag(
        False, "tell the label of each prompt, and the probabilities of all labels (models of "
        "run_finetune.py --task classify)")
    export: str | None = flag(None, "write a Paddle inference model to this directory and stop")

    def __post_init__(self):
        require(len(self.given()) < 2, f"--{' and --'.join(self.given())} exclude each other")


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(Options):
    """All flags of the command. ValueError, which names the flag, if they do not go together."""

    model: ModelOptions = group(ModelOptions, model_type="gpt2-en", model_name_or_path=None)
    adapter: AdapterOptions = group(AdapterOptions, adapter=changed(
        help="directory of a LoRA adapter, of this project or of peft, which is put into the "
        "weights; without --model_name_or_path into those of the base that it names. With --serve "
        "several may be NAME=DIR each: models under these names, beside the base"))
    prompts: PromptOptions = group(PromptOptions)
    parts: DataOptions = group(DataOptions, only=("split",), input_dir=None, split=changed(
        ALL, "with --instructions: shares of its records for training, test and validation, in the "
        "order of the file; those of the test are answered"))
    output: OutputOptions = group(OutputOptions)
    mode: ModeOptions = group(ModeOptions)
    decoding: DecodingOptions = group(
        DecodingOptions,
        top_k=changed(None, "sample among the k likeliest tokens; 0 among all (default: 5; "
                      "interactive 0)"),
        temperature=changed(None, "divides the logits before the filters; above 0 (default: 1.0; "
                            "interactive 0.7)"),
        max_dec_len=changed(None, "new tokens at most; fewer where the positions end (default: "
                            "512; interactive 128)"),
        min_dec_len=changed(None, "new tokens before an end token may come (default: 1; with a "
                            "suffix 0)"),
        stop=changed(help="texts that end a continuation and are left out (interactive: a blank "
                     "line, unless with --chat)"),
    )
    runtime: RuntimeOptions = group(RuntimeOptions)
    engine: EngineOptions = group(EngineOptions)
    serving: ServingFlags = group(ServingFlags)

    def __post_init__(self):
        require(self.model.model_name_or_path is not None or self.adapter.alone is not None,
                "which model? Name a checkpoint with --model_name_or_path")
        if not self.mode.serve:
            self.adapter.check_alone()
        defaults = self._defaults()
        object.__setattr__(self, "decoding", self.decoding.with_defaults(defaults))
        self._check_mode(defaults)
        decoding, stream = self.decoding, self.prompts.stream
        require(self.prompts.fim_mode == "psm" or self.prompts.suffix is not None
                or self.prompts.prompt_file is not None or self.mode.serve,
                "--fim_mode is the order around a gap: it needs --suffix, --prompt_file or --serve")
        require(not self.mode.classify or self.prompts.prompt or self.prompts.prompt_file,
                "--classify needs texts: name them with --prompt or --prompt_file")
        require(self.prompts.records is None or self.output.output_file is not None,
                "--records needs --output_file, the file of its continuations")
        require(self.prompts.records is None or decoding.num_return_sequences == 1,
                "--records keeps one continuation: --num_return_sequences must be 1, got "
                f"{decoding.num_return_sequences}")
        require(self.prompts.instructions is not None or self.parts.split == ALL,
                f"--split {self.parts.split} means nothing without --instructions")
        if self.prompts.instructions is not None:
            require(self.output.output_file not in (None, "-"),
                    "--instructions needs --output_file, the file of its answers")
            require(decoding.num_return_sequences == 1, "--instructions keeps one answer: "
                    f"--num_return_sequences must be 1, got {decoding.num_return_sequences}")
        require(not (stream and decoding.decode_strategy == "beam_search"),
                "--stream is for greedy_search and sampling: a beam search has no text before its "
                "end")
        require(not stream or decoding.num_return_sequences == 1,
                "--stream shows one continuation: --num_return_sequences must be 1, got "
                f"{decoding.num_return_sequences}")
        require(not (stream and self.output.output_file == "-"),
                "--stream and --output_file - both write to standard output")

    def _defaults(self) -> dict:
        """The defaults that depend on the mode, by flag."""
        if not self.mode.interactive:
            return _DEFAULTS
        if self.decoding.decode_strategy == "beam_search" or self.prompts.chat:
            return _INTERACTIVE  # a beam search has no --stop; answers may have blank lines
        return _INTERACTIVE | {"stop": ["\n\n"]}

    def _check_mode(self, defaults: dict) -> None:
        modes = self.mode.given()
        for one in self.flags():
            if one.name in modes or one.value(self) in (one.default, defaults.get(one.name)):
                continue
            for mode in modes:
                require(one.name in _MODES[mode], f"--{one.name} means nothing with --{mode}")
            require(bool(modes) or one.name not in _SERVING,
                    f"--{one.name} means nothing without --serve")
