"""Chat templates by name, each with `{% generation %}` around what an assistant writes.

    alpaca   the texts of prompts.py; several turns follow one another
    phi3     the same of phi3; a system message comes first, behind <|system|>
    llama2   [BOS][INST]question[/INST]answer[EOS] for each turn, as Llama 2 was trained on chats;
             a system message stands in the first question, between <<SYS>> and <</SYS>>
    chatml   <|im_start|>role, the message, <|im_end|>

bos_token and eos_token are the tokenizer's. Markers such as [INST] are single tokens only where the
tokenizer has them (--add_tokens).
"""

from __future__ import annotations

from pathlib import Path

TEMPLATES = {
    "alpaca": (
        r"{% if messages[0].role == 'system' %}{{ messages[0].content }}{% else %}"
        r"Below is an instruction that describes a task. Write a response that appropriately "
        r"completes the request.{% endif %}"
        r"{% for message in messages %}"
        r"{% if message.role == 'user' %}{{ '\n\n### Instruction:\n' + message.content }}"
        r"{% elif message.role == 'assistant' %}{{ '\n\n### Response:\n' }}"
        r"{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}"
        r"{% endif %}{% endfor %}"
        r"{% if add_generation_prompt %}{{ '\n\n### Response:\n' }}{% endif %}"
    ),
    "phi3": (
        r"{% for message in messages %}"
        r"{% if message.role == 'assistant' %}{{ '<|assistant|>:\n' }}"
        r"{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}"
        r"{% else %}{{ '<|' + message.role + '|>\n' + message.content + '\n' }}"
        r"{% endif %}{% endfor %}"
        r"{% if add_generation_prompt %}{{ '<|assistant|>:\n' }}{% endif %}"
    ),
    "llama2": (
        r"{% set told = namespace(system='') %}"
        r"{% for message in messages %}"
        r"{% if message.role == 'system' %}"
        r"{% set told.system = '<<SYS>>\n' + message.content + '\n<</SYS>>\n\n' %}"
        r"{% elif message.role == 'user' %}"
        r"{{ bos_token }}{{ '[INST]' + told.system + message.content + '[/INST]' }}"
        r"{% set told.system = '' %}"
        r"{% elif message.role == 'assistant' %}"
        r"{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}"
        r"{% endif %}{% endfor %}"
    ),
    "chatml": (
        r"{% for message in messages %}"
        r"{{ '<|im_start|>' + message.role + '\n' }}"
        r"{% if message.role == 'assistant' %}"
        r"{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
        r"{% else %}{{ message.content + '<|im_end|>\n' }}"
        r"{% endif %}{% endfor %}"
        r"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
}


def template_of(name: str) -> str:
    """The template of that name, or the one in the file; ValueError for neither."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ValueError(f"chat template {name} cannot be read: {told}; expected a file in Jinja, "
                         f"or one of {', '.join(TEMPLATES)}") from None
