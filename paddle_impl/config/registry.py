"""The registry of named models."""

from paddle_impl.config.model import ModelConfig


def _gpt2(n_layer, n_embd, n_head, vocab_size=50257, **more):
    return ModelConfig(n_layer, n_embd, n_head, vocab_size, **more)


_CPM = {"vocab_size": 30000, "bos_token_id": 0, "eos_token_id": 7, "pad_token_id": 0}
_SMALL, _MEDIUM_HF = _gpt2(12, 768, 12), _gpt2(24, 1024, 16)
_LARGE, _XL = _gpt2(36, 1280, 20), _gpt2(48, 1600, 25)

# Vocabulary sizes differ on purpose: PaddleNLP pads gpt2-medium-en and gpt3-* to 50304, Hugging
# Face publishes the same weights with 50257 rows.
# code-mini is defined by this project. It reaches the lowest loss in a few minutes on two cores; a
# larger model or vocabulary sees too few tokens in that time.
MODELS: dict[str, ModelConfig] = {
    "code-mini": _gpt2(4, 128, 2, 2048, n_positions=256, bos_token_id=0, eos_token_id=0),
    "distilgpt2": _gpt2(6, 768, 12),
    "custom_gpt2": _gpt2(6, 768, 12),
    "gpt2-small-en": _gpt2(4, 1024, 4, 50304),
    "gpt2-en": _SMALL,
    "gpt2-medium-en": _gpt2(24, 1024, 16, 50304),
    "gpt2-medium": _MEDIUM_HF,
    "gpt2-large-en": _LARGE,
    "gpt2-xl-en": _XL,
    "pycpilot": _gpt2(12, 768, 12, 52000, bos_token_id=0, eos_token_id=0),
    "gpt-cpm-small-cn-distill": _gpt2(12, 768, 12, **_CPM),
    "gpt-cpm-large-cn": _gpt2(32, 2560, 32, **_CPM),
    "gpt3-1.3B-en": _gpt2(24, 2048, 16, 50304),
    "gpt3-6.7B-en": _gpt2(32, 4096, 32, 50304),
    "gpt3-13B-en": _gpt2(40, 5120, 128, 50304),
    "gpt3-89B-en": _gpt2(48, 12288, 96, 51200),
    "gpt3-175B-en": _gpt2(96, 12288, 96, 51200),
}

# Other names of these models, in the specification and in the projects that it builds on.
ALIASES: dict[str, str] = {
    "gpt2": "gpt2-en",
    "gpt2-small": "gpt2-en",
    "gpt2-small (124M)": "gpt2-en",
    "124M": "gpt2-en",
    "gpt2.sm": "gpt2-en",
    "gpt2_medium": "gpt2-medium",
    "gpt2-medium (355M)": "gpt2-medium",
    "355M": "gpt2-medium",
    "gpt2.md": "gpt2-medium",
    "hf_origin": "gpt2-medium",
    "gpt2_large": "gpt2-large-en",
    "gpt2-large": "gpt2-large-en",
    "gpt2-large (774M)": "gpt2-large-en",
    "774M": "gpt2-large-en",
    "gpt2.lg": "gpt2-large-en",
    "gpt2-xl": "gpt2-xl-en",
    "gpt2-xl (1558M)": "gpt2-xl-en",
    "1558M": "gpt2-xl-en",
}


def is_model_name(name: str) -> bool:
    return name in MODELS or name in ALIASES


def named_model(name: str) -> ModelConfig:
    """The configuration of a registry name or alias; ValueError lists the known ones."""
    if not is_model_name(name):
        known = ", ".join([*MODELS, *ALIASES])
        raise ValueError(f"unknown model {name!r}: neither a directory nor one of {known}")
    return MODELS[ALIASES.get(name, name)]
