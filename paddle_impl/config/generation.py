"""Flags of run_generation.py: PaddleNLP's names and defaults."""

import re
from dataclasses import dataclass, fields

from paddle_impl.config.decoding import BEAM_SCORES, STRATEGIES, Decoding
from paddle_impl.config.options import flag, require
from paddle_impl.config.pretrain import MODEL_TYPES
from paddle_impl.config.serving import ServingFlags

DECODERS = ("auto", "paddle", "native")
# Where a flag has another name than the setting it fills.
_FLAGS = {"max_new_tokens": "max_dec_len", "min_new_tokens": "min_dec_len",
          "eos_token_ids": "eos_token_id", "strategy": "decode_strategy"}
# What an --interactive session starts from, in place of the defaults of other calls.
_INTERACTIVE = {"max_dec_len": 128, "temperature": 0.7, "top_k": 0}
# The flags that each mode knows; without one, all but the server's.
_ALWAYS = ("model_name_or_path", "model_type", "vocab_file", "merge_file", "device")
_MODES = {
    "interactive": (
        *_ALWAYS, "decode_strategy", "top_k", "top_p", "temperature", "num_beams",
        "length_penalty", "early_stopping", "beam_score", "repetition_penalty",
        "no_repeat_ngram_size", "min_dec_len", "max_dec_len", "eos_token_id", "stop", "seed",
        "decoder",
    ),
    "serve": (*_ALWAYS, "eos_token_id", "batch_size", "decoder",
              *(item.name for item in fields(ServingFlags))),
    "export": _ALWAYS,
}


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(ServingFlags):
    model_name_or_path: str = flag(help="a checkpoint directory")
    model_type: str = flag("gpt2-en", "family of the model", choices=MODEL_TYPES)
    prompt: list[str] | None = flag(None, "one or more prompts (default: three that start a file)")
    prompt_file: str | None = flag(
        None, "one prompt a line, or .jsonl with a \"prompt\" each; - for lines of standard input")
    output_file: str | None = flag(
        None, "JSON lines: prompt, text, token_ids, score, finish_reason; - for standard output")
    stream: bool | None = flag(
        None, "show text token by token (default: on a terminal, one sequence a prompt)")
    interactive: bool = flag(False, "ask for prompts until exit; see help there")
    serve: bool = flag(False, "answer OpenAI's completion requests over HTTP until Ctrl-C")
    export: str | None = flag(None, "write a Paddle inference model to this directory and stop")
    vocab_file: str | None = flag(None, "vocab.json, where the checkpoint has no tokenizer")
    merge_file: str | None = flag(None, "merges.txt that belongs to --vocab_file")
    decode_strategy: str = flag("sampling", "how to choose a token", choices=STRATEGIES)
    top_k: int | None = flag(
        None, "sample among the k likeliest tokens; 0 among all (default: 5; interactive 0)")
    top_p: float = flag(1.0, "sample among the likeliest tokens that reach this probability")
    temperature: float | None = flag(
        None, "divides the logits before the filters; above 0 (default: 1.0; interactive 0.7)")
    num_beams: int = flag(0, "beams of a beam search, which is the strategy beam_search")
    length_penalty: float = flag(1.0, "exponent of the length that divides a beam's score")
    early_stopping: bool | str = flag(
        False, "a beam search ends with num_beams finished beams; never: only when no beam can "
        "become better", choices=("never",))
    beam_score: str = flag(
        "hf", "transformers' beam search and score, PaddleNLP's or microsoft/LoRA's",
        choices=BEAM_SCORES)
    repetition_penalty: float = flag(1.0, "above 1: tokens that were seen become less likely")
    no_repeat_ngram_size: int = flag(0, "no n tokens come twice in a row; 0: they may")
    num_return_sequences: int = flag(1, "continuations of each prompt")
    min_dec_len: int = flag(1, "new tokens before an end token may come")
    max_dec_len: int | None = flag(
        None, "new tokens at most; fewer where the positions end (default: 512; interactive 128)")
    eos_token_id: list[int] | None = flag(None, "end tokens (default: the tokenizer's)")
    stop: list[str] | None = flag(
        None, "texts that end a continuation and are left out (interactive: a blank line)")
    seed: int = flag(123, "seed of the draws; 0 is a seed like any other")
    batch_size: int = flag(16, "sequences that are computed side by side")
    decoder: str = flag(
        "auto", "the C++ decode step (native, on a CPU), plain Paddle, or what fits",
        choices=DECODERS)
    device: str = flag("gpu", "where to run", choices=("cpu", "gpu", "xpu"))

    def __post_init__(self):
        super().__post_init__()
        require(self.num_beams == 0 or self.decode_strategy == "beam_search",
                f"--num_beams {self.num_beams} needs --decode_strategy beam_search")
        require(self.decode_strategy != "beam_search" or self.num_beams >= 2,
                f"--decode_strategy beam_search needs --num_beams 2 or more, got {self.num_beams}")
        self.decoding((), None)
        require(0 <= self.seed < 2**32, f"--seed must lie in [0, 2^32), got {self.seed}")
        require(self.batch_size >= 1, f"--batch_size must be at least 1, got {self.batch_size}")
        require((self.vocab_file is None) == (self.merge_file is None),
                "--vocab_file and --merge_file go together: give both or neither")
        require(self.prompt is None or self.prompt_file is None,
                "--prompt and --prompt_file exclude each other")
        self._check_modes()

    def decoding(self, eos_token_ids: tuple[int, ...], vocab_size: int | None) -> Decoding:
        """The settings; of a tokenizer, its end token and its size."""
        try:
            return Decoding(
                strategy=self.decode_strategy, min_new_tokens=self.min_dec_len,
                max_new_tokens=self._value("max_dec_len", 512),
                num_return_sequences=self.num_return_sequences,
                temperature=self._value("temperature", 1.0), top_k=self._value("top_k", 5),
                top_p=self.top_p, repetition_penalty=self.repetition_penalty,
                no_repeat_ngram_size=self.no_repeat_ngram_size, num_beams=max(1, self.num_beams),
                length_penalty=self.length_penalty, early_stopping=self.early_stopping,
                beam_score=self.beam_score, stop=self._stop(), vocab_size=vocab_size,
                eos_token_ids=tuple(self.eos_token_id or eos_token_ids),
            )
        except ValueError as error:
            raise ValueError(_as_flags(str(error))) from None

    def _value(self, name: str, default):
        value = getattr(self, name)
        if value is not None:
            return value
        return _INTERACTIVE[name] if self.interactive else default

    def _stop(self) -> tuple[str, ...]:
        if self.stop is None and self.interactive and self.decode_strategy != "beam_search":
            return ("\n\n",)
        return tuple(self.stop or ())

    def _check_modes(self) -> None:
        asked = {"interactive": self.interactive, "serve": self.serve, "export": self.export}
        modes = [name for name in asked if asked[name]]
        require(len(modes) < 2, f"--{' and --'.join(modes)} exclude each other")
        for item in fields(self):
            if getattr(self, item.name) == item.default or item.name in modes:
                continue
            for mode in modes:
                require(item.name in _MODES[mode], f"--{item.name} means nothing with --{mode}")
            require(bool(modes) or item.name not in ServingFlags.__dataclass_fields__,
                    f"--{item.name} means nothing without --serve")
        require(not (self.stream and self.decode_strategy == "beam_search"),
                "--stream is for greedy_search and sampling: a beam search has no text before its "
                "end")
        require(not self.stream or self.num_return_sequences == 1,
                "--stream shows one continuation: --num_return_sequences must be 1, got "
                f"{self.num_return_sequences}")
        require(not (self.stream and self.output_file == "-"),
                "--stream and --output_file - both write to standard output")


def _as_flags(message: str) -> str:
    """Settings of Decoding, as the flags that fill them."""
    def flag_of(match: re.Match) -> str:
        name = match.group()
        return f"--{_FLAGS.get(name, name)}"

    names = "|".join(sorted(Decoding.__dataclass_fields__, key=len, reverse=True))
    return re.sub(rf"\b({names})\b", flag_of, message)
