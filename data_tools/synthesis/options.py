"""The flags of synthesize. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_tools.options import (
    Options,
    flag,
    require,
    require_at_least_one,
    require_not_negative,
)

# What Llama 3 reads before a user's message, and behind any.
USERS_TURN = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>"
END_OF_TURN = "<|eot_id|>"
_OF = {"preference": ("input_file",),
       "magpie": ("count", "max_draws", "pre_query", "stop", "whole_instruction", "min_chars")}


@dataclass(frozen=True, kw_only=True)
class SynthesisConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    kind: str = flag(
        help="preference: the outputs of --input_file, each rewritten a little more politely or "
        "impolitely, which makes the chosen or the rejected one of a pair; magpie: instructions "
        "that an aligned model makes up behind the beginning of a user's message, and its answers",
        choices=tuple(_OF), positional=True)
    output_file: str = flag(help="X.jsonl: a record a line; X.json: a list of them. A stopped run "
                                 "leaves X_partial.jsonl, and the same command goes on behind it",
                            aliases=("--output",))
    endpoint: str = flag(help="URL of a server with OpenAI's interface, such as "
                              "http://localhost:8000/v1; of magpie: with raw /v1/completions")
    model: str = flag(help="the model's name on that server")
    api_key_variable: str | None = flag(
        None, "the environment variable that holds the server's key (default: OPENAI_API_KEY, "
        "where it is set)")
    concurrency: int = flag(4, "requests at once")
    retries: int = flag(4, "times that a request is repeated after an error of the network or the "
                           "server")
    timeout: float = flag(120.0, "seconds that an attempt may wait for the server")
    seed: int = flag(123, "of the draws: polite or impolite for each record, and the server's")
    temperature: float | None = flag(
        None, "of the rewritten outputs (default: 0), or of magpie's instructions (default: 1), "
        "whose answers have 0")
    max_tokens: int = flag(512, "of each answer; one that is longer is dropped")
    overwrite: bool = flag(False, "replace an output file that is there")
    summary_json: str | None = flag(
        None, "the file of the summary's numbers, for programs: records, and how many were dropped "
        "for which reason")
    input_file: str | None = flag(
        None, "preference: records with instruction, input and output, as .json, .jsonl or "
        ".parquet", aliases=("--input",))
    count: int = flag(100, "magpie: records to make")
    max_draws: int | None = flag(
        None, "magpie: instructions that are drawn at most (default: 10 times --count)")
    pre_query: str = flag(
        USERS_TURN, "magpie: what the model's template has before a user's message")
    stop: list[str] | None = flag(
        None, f"magpie: texts that end such a message (default: {END_OF_TURN})")
    whole_instruction: bool = flag(
        False, "magpie: take the text up to --stop, and not its first line that is not blank")
    min_chars: int = flag(10, "magpie: characters that an instruction has at least")

    def __post_init__(self):
        require_at_least_one(self, "concurrency", "max_tokens", "count", "max_draws", "min_chars")
        require_not_negative(self, "retries", "temperature")
        require(0 <= self.seed < 2**31, f"--seed must lie in [0, 2^31), got {self.seed}")
        require(0 < self.timeout <= 1e6,
                f"--timeout must be above 0 and at most 1e6, got {self.timeout}")
        require(self.output_file.endswith((".json", ".jsonl")),
                f"--output_file {self.output_file}: expected a name that ends in .json or .jsonl")
        for kind, names in _OF.items():
            for name in self.given():
                require(kind == self.kind or name not in names,
                        f"--{name} is for {kind}, not for {self.kind}")
        if self.kind == "preference":
            require(self.input_file is not None, "preference rewrites the outputs of records: name "
                    "their file with --input_file")
        require(self.pre_query != "" and "" not in (self.stop or ()),
                "--pre_query and --stop must not be empty")

    @property
    def partial_file(self) -> Path:
        path = Path(self.output_file)
        return path.with_name(f"{path.stem}_partial.jsonl")

    @property
    def drawn_temperature(self) -> float:
        if self.temperature is not None:
            return self.temperature
        return 0.0 if self.kind == "preference" else 1.0
