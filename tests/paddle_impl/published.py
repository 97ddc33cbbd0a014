"""A directory as others publish a model: it declares end tokens and a chat template of its own.

The tokens are bytes, `<|endoftext|>` 256 and `<|im_end|>` 257, which is the tokenizer's eos_token.
The model chooses CHOSEN, the byte of $, after every prompt.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert.hugging_face import to_hf
from paddle_impl.model import GPTForCausalLM

CHOSEN, IM_END = ord("$"), 257
TEMPLATE = "{% for message in messages %}{{ message.content }}<|im_end|>{% endfor %}"
NAMES = {"eos_token": "<|im_end|>", "bos_token": END_OF_TEXT, "unk_token": END_OF_TEXT}


def write(directory: Path, ends=IM_END, generation: dict | None = None) -> Path:
    """ends: config.json's eos_token_id. generation: the content of generation_config.json."""
    Tokenizer.byte_level().with_added_tokens(["<|im_end|>"]).save(directory)
    (directory / "special_tokens_map.json").unlink()
    _write(directory / "tokenizer_config.json", NAMES | {
        "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": TEMPLATE})
    config = ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=258, n_positions=64,
                         bos_token_id=256, eos_token_id=257)
    _write(directory / "config.json", config.to_hf() | {"eos_token_id": ends})
    if generation is not None:
        _write(directory / "generation_config.json", generation)
    weights = {name: np.zeros_like(value)
               for name, value in to_hf(GPTForCausalLM(config)).items()}
    weights["transformer.ln_f.bias"][0] = weights["transformer.wte.weight"][CHOSEN, 0] = 9.0
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
