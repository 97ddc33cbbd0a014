"""The texts of instruction tuning, byte for byte as rasbt's "LLMs from scratch" has them.

    alpaca   Below is an instruction ...\\n\\n### Instruction:\\n{instruction}
             \\n\\n### Input:\\n{input}        only if there is an input
             \\n\\n### Response:\\n{output}
    phi3     <|user|>\\n{instruction}
             \\n{input}                       only if there is an input
             \\n<|assistant|>:\\n{output}

A text is the prompt and then the output; an end token follows it as an id, not as text.
"""

from __future__ import annotations

PROMPT_STYLES = ("alpaca", "phi3")
_HEADERS = {"alpaca": "\n\n### Response:\n", "phi3": "\n<|assistant|>:\n"}


def prompt_text(style: str, instruction: str, input: str = "") -> str:
    """What a model is given: the output follows without anything between. style: PROMPT_STYLES."""
    return instruction_text(style, instruction, input) + _HEADERS[style]


def instruction_text(style: str, instruction: str, input: str = "") -> str:
    """The prompt without the header of the response."""
    if style == "alpaca":
        before = ("Below is an instruction that describes a task. Write a response that "
                  "appropriately completes the request.\n\n### Instruction:\n")
        return before + instruction + (f"\n\n### Input:\n{input}" if input else "")
    assert style == "phi3", style
    return f"<|user|>\n{instruction}" + (f"\n{input}" if input else "")


def response_text(style: str, output: str) -> str:
    """The header of the response and the output: what stands behind instruction_text."""
    return _HEADERS[style] + output
