"""Flags of run_evaluation.py --judge."""

from dataclasses import dataclass

from paddle_impl.config.options import (
    Options,
    flag,
    require,
    require_at_least_one,
    require_not_negative,
)

USUAL_MODEL = "meta-llama-3-8b"


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(Options):
    judge: str | None = flag(
        None, "score responses by a model behind this URL, http://localhost:1234/v1 for example, "
        "of any server with OpenAI's interface, from 0 to 100")
    responses: str | None = flag(
        None, "with --judge: records with instruction, input, output and responses: .json, .jsonl "
        "or .parquet")
    response_field: list[str] | None = flag(
        None, "with --judge: the fields that hold responses, each measured on its own (default: "
        "those with response in their names)")
    judge_model: str | None = flag(
        None, "the judge's name on the server (default: the only one that is served, or "
        f"{USUAL_MODEL} where the server does not tell)")
    judge_key_variable: str | None = flag(
        None, "the environment variable that holds the server's key (default: OPENAI_API_KEY, "
        "where it is set)")
    judge_concurrency: int = flag(4, "requests at once")
    judge_retries: int = flag(4, "times that a request is repeated after an error of the network "
                              "or the server")
    judge_timeout: float = flag(120.0, "seconds that an attempt may wait for the server")
    judge_repeat: float = flag(
        0.1, "share of the records that is asked twice, to see whether the judge repeats itself")
    judge_cache: str = flag(
        "output/judge_cache.jsonl", "the judge's replies, by model, prompt and seed: what is there "
        "is not asked again")

    def __post_init__(self):
        require_at_least_one(self, "judge_concurrency")
        require_not_negative(self, "judge_retries")
        require(0 < self.judge_timeout <= 1e6,
                f"--judge_timeout must be above 0 and at most 1e6, got {self.judge_timeout}")
        require(0 <= self.judge_repeat <= 1,
                f"--judge_repeat must lie in [0, 1], got {self.judge_repeat}")
        require(self.judge is None or self.responses is not None,
                "--judge scores responses: name their file with --responses")
