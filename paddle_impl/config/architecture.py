"""Flags of the architecture of a model that is trained from scratch."""

import re
from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_at_least_one

_CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class ArchitectureOptions(Options):
    """The shape over that of --model_name_or_path, and a class of the user's."""

    n_layer: int | None = flag(
        None, "a new model: its blocks, instead of those of --model_name_or_path; so with the "
        "flags below, which weights that are loaded do not take")
    n_head: int | None = flag(None, "a new model: attention heads, a divisor of --n_embd")
    n_embd: int | None = flag(None, "a new model: width")
    n_inner: int | None = flag(None, "a new model: width of the MLP (default: 4 x n_embd)")
    n_positions: int | None = flag(
        None, "a new model: positions, the longest sample", aliases=("--n_ctx",))
    vocab_size: int | None = flag(
        None, "a new model: tokens (default: with one of these flags or a config.json, those of "
        "the data's tokenizer; else those of --model_name_or_path)")
    scale_attn_by_inverse_layer_idx: bool | None = flag(
        None, "a new model: divide the attention scores of each block by its number, from 1 "
        "(default: as --model_name_or_path says)")
    model_class: str | None = flag(
        None, "a class of your own in GPT-2's place, as package.module:Class; what it must offer "
        "is LanguageModel in paddle_impl/training/model_class.py")

    def __post_init__(self):
        name = self.model_class
        require(name is None or _CLASS.fullmatch(name) is not None,
                f"--model_class takes package.module:Class, got {name}")
        require_at_least_one(self, *(name for name, value in self.shape().items()
                                     if not isinstance(value, bool)))

    def shape(self) -> dict[str, int | bool]:
        """The fields of ModelConfig that the flags set."""
        given = {"n_layer": self.n_layer, "n_head": self.n_head, "n_embd": self.n_embd,
                 "n_inner": self.n_inner, "n_positions": self.n_positions,
                 "vocab_size": self.vocab_size,
                 "scale_attn_by_inverse_layer_idx": self.scale_attn_by_inverse_layer_idx}
        return {name: value for name, value in given.items() if value is not None}
