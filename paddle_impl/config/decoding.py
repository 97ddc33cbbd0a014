"""How tokens are chosen: the settings of a generation, and the flags for them."""

import re
from dataclasses import dataclass, replace

from paddle_impl.config.options import Options, flag, require

STRATEGIES = ("greedy_search", "sampling", "beam_search")
BEAM_SCORES = ("hf", "paddlenlp", "lora")


@dataclass(frozen=True)
class Decoding:
    """Settings of a generation. Where transformers' GenerationConfig has a field, name and meaning
    are the same.

    strategy: the likeliest token, a random draw, or beam search with num_beams.
    beam_score: how a finished beam is scored and when the search ends; see decoding.beam.
    early_stopping: for beam search: True, False or "never".
    no_repeat_ngram_size, repetition_penalty: both consider the prompt and the new tokens.
    min_new_tokens: new tokens before one of eos_token_ids may be chosen.
    stop: texts that end a continuation.
    stop_after: new tokens that come before stop strings count: one that is complete by then stays
    in the text, as with vLLM's min_tokens.
    vocab_size: ids at and above it pad the embedding and are never chosen; None: the model's.
    ValueError, which names the setting, for an invalid value.
    """

    max_new_tokens: int
    strategy: str = "greedy_search"
    min_new_tokens: int = 0
    num_return_sequences: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    beam_score: str = "hf"
    eos_token_ids: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()
    stop_after: int = 0
    vocab_size: int | None = None

    def __post_init__(self):
        require(self.strategy in STRATEGIES,
                f"strategy must be one of {', '.join(STRATEGIES)}, got {self.strategy!r}")
        require(self.beam_score in BEAM_SCORES,
                f"beam_score must be one of {', '.join(BEAM_SCORES)}, got {self.beam_score!r}")
        require(self.early_stopping in (True, False, "never"),
                f"early_stopping must be true, false or never, got {self.early_stopping!r}")
        self._check_lengths()
        self._check_filters()
        self._check_widths()

    @property
    def sampled(self) -> bool:
        return self.strategy == "sampling"

    @property
    def width(self) -> int:
        """Sequences of one prompt that are computed at the same time."""
        return self.num_beams if self.strategy == "beam_search" else self.num_return_sequences

    def _check_lengths(self) -> None:
        require(self.max_new_tokens >= 1,
                f"max_new_tokens must be at least 1, got {self.max_new_tokens}")
        require(0 <= self.min_new_tokens <= self.max_new_tokens,
                f"min_new_tokens {self.min_new_tokens} must lie between 0 and max_new_tokens "
                f"{self.max_new_tokens}")
        require(all(self.stop), "stop must not hold an empty text")
        require(self.stop_after >= 0, f"stop_after must not be negative, got {self.stop_after}")

    def _check_filters(self) -> None:
        require(self.top_k >= 0, f"top_k must not be negative, got {self.top_k}")
        require(0.0 < self.top_p <= 1.0, f"top_p must lie in (0, 1], got {self.top_p}")
        require(0.0 < self.temperature < float("inf"),
                f"temperature must be above 0, got {self.temperature}; "
                "greedy search takes the likeliest token")
        require(0.0 < self.repetition_penalty < float("inf"),
                f"repetition_penalty must be above 0, got {self.repetition_penalty}")
        require(self.no_repeat_ngram_size >= 0,
                f"no_repeat_ngram_size must not be negative, got {self.no_repeat_ngram_size}")

    def _check_widths(self) -> None:
        count, beams = self.num_return_sequences, self.num_beams
        require(count >= 1, f"num_return_sequences must be at least 1, got {count}")
        require(abs(self.length_penalty) < float("inf"),
                f"length_penalty must be a number, got {self.length_penalty}")
        if self.strategy == "beam_search":
            require(beams >= 1, f"num_beams must be at least 1, got {beams}")
            require(count <= beams,
                    f"num_return_sequences {count} must not exceed num_beams {beams}")
            require(self.beam_score != "paddlenlp" or self.early_stopping != "never",
                    "early_stopping never is for beam_score hf; paddlenlp has true and false")
            require(self.beam_score != "lora" or not self.early_stopping,
                    "early_stopping is for the other values of beam_score: lora runs all "
                    "max_new_tokens steps")
            require(not self.stop, "stop is for greedy_search and sampling, not for beam_search")
            return
        require(beams in (0, 1), f"num_beams {beams} is for the strategy beam_search")
        require(self.strategy != "greedy_search" or count == 1,
                "the strategy greedy_search gives one sequence: num_return_sequences must be 1, "
                f"got {count}")


@dataclass(frozen=True, kw_only=True)
class DecodingOptions(Options):
    """The flags for a Decoding, which checks their values.

    A command may default temperature, top_k and max_dec_len to None and set them `with_defaults`,
    and min_dec_len to None, which means 1 to `settings`.
    """

    decode_strategy: str = flag("sampling", "how to choose a token", choices=STRATEGIES)
    top_k: int | None = flag(5, "sample among the k likeliest tokens; 0 among all")
    top_p: float = flag(1.0, "sample among the likeliest tokens that reach this probability")
    temperature: float | None = flag(1.0, "divides the logits before the filters; above 0")
    num_beams: int = flag(0, "number of beams, with --decode_strategy beam_search")
    length_penalty: float = flag(1.0, "exponent of the length that divides a beam's score")
    early_stopping: bool | str = flag(
        False, "a beam search ends with num_beams finished beams; never: only when no beam can "
        "become better", choices=("never",))
    beam_score: str = flag(
        "hf", "transformers' beam search and score, PaddleNLP's or microsoft/LoRA's",
        choices=BEAM_SCORES)
    repetition_penalty: float = flag(1.0, "above 1: tokens that were seen become less likely")
    no_repeat_ngram_size: int = flag(0, "no sequence of n tokens occurs twice; 0: it may")
    num_return_sequences: int = flag(1, "continuations of each prompt")
    min_dec_len: int | None = flag(1, "new tokens before an end token may come")
    max_dec_len: int | None = flag(512, "new tokens at most; fewer where the positions end")
    eos_token_id: list[int] | None = flag(None, "end tokens (default: the model's)")
    stop: list[str] | None = flag(None, "texts that end a continuation and are left out")

    def __post_init__(self):
        require(self.num_beams == 0 or self.decode_strategy == "beam_search",
                f"--num_beams {self.num_beams} needs --decode_strategy beam_search")
        require(self.decode_strategy != "beam_search" or self.num_beams >= 2,
                f"--decode_strategy beam_search needs --num_beams 2 or more, got {self.num_beams}")
        if None not in (self.temperature, self.top_k, self.max_dec_len):
            self.settings()

    def with_defaults(self, defaults: dict) -> "DecodingOptions":
        """A copy in which flags that are None have the values of `defaults`, flag -> value."""
        return replace(self, **{name: value for name, value in defaults.items()
                                if getattr(self, name) is None})

    def settings(
        self, eos_token_ids: tuple[int, ...] = (), vocab_size: int | None = None
    ) -> Decoding:
        """The settings from the flags. eos_token_ids: the model's, used without --eos_token_id.
        """
        try:
            return Decoding(
                strategy=self.decode_strategy,
                min_new_tokens=1 if self.min_dec_len is None else self.min_dec_len,
                max_new_tokens=self.max_dec_len, num_return_sequences=self.num_return_sequences,
                temperature=self.temperature, top_k=self.top_k, top_p=self.top_p,
                repetition_penalty=self.repetition_penalty,
                no_repeat_ngram_size=self.no_repeat_ngram_size, num_beams=max(1, self.num_beams),
                length_penalty=self.length_penalty, early_stopping=self.early_stopping,
                beam_score=self.beam_score, stop=tuple(self.stop or ()), vocab_size=vocab_size,
                eos_token_ids=tuple(self.eos_token_id or eos_token_ids),
            )
        except ValueError as error:
            raise ValueError(_as_flags(str(error))) from None


# Where a flag has another name than the setting it fills.
_FLAGS = {"max_new_tokens": "max_dec_len", "min_new_tokens": "min_dec_len",
          "eos_token_ids": "eos_token_id", "strategy": "decode_strategy"}


def _as_flags(message: str) -> str:
    """A message of Decoding with the names of its settings replaced by those of the flags."""
    def flag_of(match: re.Match) -> str:
        name = match.group()
        return f"--{_FLAGS.get(name, name)}"

    names = "|".join(sorted(Decoding.__dataclass_fields__, key=len, reverse=True))
    return re.sub(rf"\b({names})\b", flag_of, message)
