"""Flags of the prompts, and of where the generated text goes."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require


@dataclass(frozen=True, kw_only=True)
class PromptOptions(Options):
    prompt: list[str] | None = flag(
        None, "one or more prompts (default: three beginnings of source files)")
    prompt_file: str | None = flag(
        None, "a prompt a line, or .jsonl or .ndjson with a \"prompt\" each; - for standard input")
    records: str | None = flag(
        None, "JSON lines with a \"context\" of ids each, as data_tools.create_e2e_data writes "
        "them: each distinct context is continued once, into --output_file")
    instructions: str | None = flag(
        None, "a file of records, as --data of run_finetune.py --task sft: each is answered by the "
        "chat template beside the model, into --output_file as JSON with a model_response")
    suffix: list[str] | None = flag(
        None, "fill gaps: what stands behind each --prompt, or one for all; a line of a .jsonl "
        "file may have a \"suffix\" of its own (models trained with --fim_rate)")
    fim_mode: str = flag(
        "psm", "the order of a gap's parts: prefix, suffix, middle; or suffix, prefix, middle",
        choices=("psm", "spm"))
    language: str | None = flag(
        None, "the prompts' language, whose control token such as <python> stands before them "
        "(models of run_finetune.py --task completion)")
    chat: bool = flag(
        False, "a prompt is a user's message, of which the chat template beside the model makes "
        "the text; with --interactive a conversation (models of run_finetune.py --task sft)")
    stream: bool | None = flag(
        None, "show text token by token (default: on a terminal, one sequence a prompt)")

    def __post_init__(self):
        require(self.prompt is None or self.prompt_file is None,
                "--prompt and --prompt_file exclude each other")
        if self.records is not None:
            given = [name for name in self.given() if name != "records"]
            require(not given, f"--{' and --'.join(given)} means nothing with --records, whose "
                    "contexts are continued as they stand")
        if self.instructions is not None:
            given = [name for name in self.given() if name != "instructions"]
            require(not given, f"--{' and --'.join(given)} means nothing with --instructions, "
                    "whose records are the prompts")
        require(not self.chat or self.language is None,
                "--chat and --language exclude each other: a chat template writes the whole prompt")
        if self.suffix is None:
            return
        require(not self.chat, "--suffix means nothing with --chat, which has no gaps")
        require(self.prompt_file is None,
                "--suffix is for --prompt; a line of a .jsonl --prompt_file has its own \"suffix\"")
        require(self.prompt is not None,
                "--suffix needs a --prompt, the text before the gap; it may be empty")
        require(len(self.suffix) in (1, len(self.prompt)),
                f"--suffix has {len(self.suffix)} texts for {len(self.prompt)} prompts: expected "
                "one for each, or one for all")


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Options):
    output_file: str | None = flag(
        None, "JSON lines: prompt, suffix of a gap, text, token_ids, score, finish_reason; of "
        "--records: id, context, predict, text, score, finish_reason; - for standard output. Of "
        "--instructions: a list of the records")
