"""How tokens are chosen: the settings of a continuation, checked once for every command."""

from dataclasses import dataclass

from paddle_impl.config.options import require

STRATEGIES = ("greedy_search", "sampling", "beam_search")
BEAM_SCORES = ("hf", "paddlenlp", "lora")


@dataclass(frozen=True)
class Decoding:
    """Names and meanings are transformers' GenerationConfig's, where it has them.

    strategy: the likeliest token, a draw, or beam search with num_beams.
    beam_score: how a finished beam is scored and when the search ends; see decoding.beam.
    early_stopping: of a beam search, True, False or "never".
    no_repeat_ngram_size, repetition_penalty: of what the prompt and the new tokens hold.
    min_new_tokens: before one of eos_token_ids may come; stop: texts that end a continuation.
    vocab_size: ids at and above it pad the embedding and are never chosen; None: the model's.
    ValueError for a value that means nothing, with its name.
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
        """Sequences of one prompt that are computed side by side."""
        return self.num_beams if self.strategy == "beam_search" else self.num_return_sequences

    def _check_lengths(self) -> None:
        require(self.max_new_tokens >= 1,
                f"max_new_tokens must be at least 1, got {self.max_new_tokens}")
        require(0 <= self.min_new_tokens <= self.max_new_tokens,
                f"min_new_tokens {self.min_new_tokens} must lie between 0 and max_new_tokens "
                f"{self.max_new_tokens}")
        require(all(self.stop), "stop must not hold an empty text")

    def _check_filters(self) -> None:
        require(self.top_k >= 0, f"top_k must not be negative, got {self.top_k}")
        require(0.0 < self.top_p <= 1.0, f"top_p must lie in (0, 1], got {self.top_p}")
        require(0.0 < self.temperature < float("inf"),
                f"temperature must be above 0, got {self.temperature}; "
                "for the likeliest token use the strategy greedy_search")
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
