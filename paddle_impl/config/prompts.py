"""Flags of the prompts, and of where the generated text goes."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require


@dataclass(frozen=True, kw_only=True)
class PromptOptions(Options):
    prompt: list[str] | None = flag(
        None, "one or more prompts (default: three beginnings of source files)")
    prompt_file: str | None = flag(
        None, "a prompt a line, or .jsonl or .ndjson with a \"prompt\" each; - for standard input")
    stream: bool | None = flag(
        None, "show text token by token (default: on a terminal, one sequence a prompt)")

    def __post_init__(self):
        require(self.prompt is None or self.prompt_file is None,
                "--prompt and --prompt_file exclude each other")


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Options):
    output_file: str | None = flag(
        None, "JSON lines: prompt, text, token_ids, score, finish_reason; - for standard output")
