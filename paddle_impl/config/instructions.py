"""Flags of the instructions and conversations that a run is fine-tuned on."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_not_negative

PROMPT_STYLES = ("alpaca", "phi3", "chat")
LEARNED = ("all", "response")
PACKING = ("none", "segments")


@dataclass(frozen=True, kw_only=True)
class InstructionOptions(Options):
    data: str = flag(
        help="records with instruction, input and output, or with messages, in a .json, .jsonl or "
        ".parquet file")
    test_data: str | None = flag(
        None, "with --valid_data: the test part, for which responses are written at the end")
    prompt_style: str = flag(
        "alpaca", "how a record becomes text: the texts of Alpaca or Phi-3, or a chat template, "
        "which conversations need", choices=PROMPT_STYLES)
    chat_template: str | None = flag(
        None, "with --prompt_style chat: a file in Jinja, or one of alpaca, phi3, llama2, chatml "
        "(default: the tokenizer's); checkpoints keep it")
    tokenizer: str | None = flag(
        None, "folder of the tokenizer (default: that of the weights)")
    add_tokens: list[str] | None = flag(
        None, "control tokens, such as [INST] [/INST], that the tokenizer gets; the model gets a "
        "trained row for each, with --lora_dim too")
    loss_on: str = flag(
        "all", "learn all tokens, or those of the response alone: with alpaca and phi3 its header "
        "belongs to it", choices=LEARNED)
    truncate: str = flag(
        "answer", "what an example above --max_seq_length loses: the answer its end, or the prompt "
        "its start", choices=("answer", "prompt"))
    group_by_length: bool = flag(
        True, "a step has examples of like length, which need less padding; false: any")
    samples: int = flag(1, "records of the held-out part that are answered after each epoch")

    def __post_init__(self):
        require_not_negative(self, "samples")
        require(self.chat_template is None or self.prompt_style == "chat",
                f"--chat_template means nothing with --prompt_style {self.prompt_style}")
        require(all(self.add_tokens or ()), "--add_tokens takes texts of at least one character")
