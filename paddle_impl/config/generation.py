"""Flags of run_generation.py: PaddleNLP's names and defaults."""

from dataclasses import dataclass

from paddle_impl.config.options import flag, not_built, require
from paddle_impl.config.pretrain import MODEL_TYPES

STRATEGIES = ("greedy_search", "sampling", "beam_search")


@dataclass(frozen=True)
class GenerationConfig:
    model_name_or_path: str = flag(help="a checkpoint directory")
    model_type: str = flag("gpt2-en", "family of the model", choices=MODEL_TYPES)
    prompt: list[str] | None = flag(None, "one or more prompts (default: three that start a file)")
    prompt_file: str | None = flag(None, "a text file with one prompt a line")
    output_file: str | None = flag(None, "JSON lines: prompt, text, token_ids, score")
    vocab_file: str | None = flag(None, "vocab.json, where the checkpoint has no tokenizer")
    merge_file: str | None = flag(None, "merges.txt that belongs to --vocab_file")
    decode_strategy: str = flag("sampling", "how to choose a token", choices=STRATEGIES)
    top_k: int = flag(5, "sample among the k likeliest tokens; 0 among all")
    top_p: float = flag(1.0, "sample among the likeliest tokens that reach this probability")
    temperature: float = flag(1.0, "divides the logits before the filters; above 0")
    num_return_sequences: int = flag(1, "continuations of each prompt")
    min_dec_len: int = flag(1, "new tokens before the end token may come")
    max_dec_len: int = flag(512, "new tokens at most; fewer where the positions end")
    seed: int = flag(123, "seed of the draws; 0 is a seed like any other")
    device: str = flag("gpu", "where to run", choices=("cpu", "gpu", "xpu"))
    num_beams: int = flag(0, "beams of a beam search (not built yet)")
    length_penalty: float = flag(1.0, "length penalty of a beam search (not built yet)")
    early_stopping: bool = flag(False, "early stop of a beam search (not built yet)")
    repetition_penalty: float = flag(1.0, "penalty on repeated tokens (only 1.0 is built)")

    def __post_init__(self):
        if self.decode_strategy == "beam_search":
            raise not_built("--decode_strategy beam_search", "use greedy_search or sampling")
        if self.model_type == "gpt2-cn":
            raise not_built("--model_type gpt2-cn (a Chinese tokenizer)", "use a gpt2 model")
        for name in ("num_beams", "length_penalty", "early_stopping", "repetition_penalty"):
            if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise not_built(f"--{name} {getattr(self, name)}", "leave it out")
        require(self.top_k >= 0, f"--top_k must not be negative, got {self.top_k}")
        require(0.0 < self.top_p <= 1.0, f"--top_p must lie in (0, 1], got {self.top_p}")
        require(self.temperature > 0.0,
                f"--temperature must be above 0, got {self.temperature}; "
                "for the likeliest token use --decode_strategy greedy_search")
        require(self.num_return_sequences >= 1,
                f"--num_return_sequences must be at least 1, got {self.num_return_sequences}")
        require(self.decode_strategy != "greedy_search" or self.num_return_sequences == 1,
                "--decode_strategy greedy_search gives one sequence: --num_return_sequences must "
                f"be 1, got {self.num_return_sequences}")
        require(self.max_dec_len >= 1, f"--max_dec_len must be at least 1, got {self.max_dec_len}")
        require(0 <= self.min_dec_len <= self.max_dec_len,
                f"--min_dec_len {self.min_dec_len} must lie between 0 and --max_dec_len "
                f"{self.max_dec_len}")
        require(0 <= self.seed < 2**32, f"--seed must lie in [0, 2^32), got {self.seed}")
        require((self.vocab_file is None) == (self.merge_file is None),
                "--vocab_file and --merge_file go together: give both or neither")
        require(self.prompt is None or self.prompt_file is None,
                "--prompt and --prompt_file exclude each other")
