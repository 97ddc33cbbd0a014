"""Flags of LoRA: which layers get an adapter, and of which size."""

import math
from dataclasses import dataclass

from paddle_impl.config.options import (
    Options,
    flag,
    require,
    require_below_one,
    require_not_negative,
)

SCALINGS = ("alpha/r", "alpha", "rslora")
BIASES = ("none", "all", "lora_only")
INITS = {"kaiming": True, "gaussian": "gaussian", "random": False}  # by init_lora_weights of peft
PARTS = ("q", "k", "v")  # of c_attn, in the order of its outputs
ALL_LINEAR = "all-linear"
TOKENS = ("new", "none", "all")


@dataclass(frozen=True, kw_only=True)
class LoraOptions(Options):
    """Flags of LoRA (Hu et al. 2021). The names of layers are Hugging Face's."""

    lora_dim: int = flag(0, "rank of the matrices that LoRA trains, while all others are frozen; "
                         "0: train the model itself", aliases=("--lora_r",))
    lora_alpha: float = flag(32.0, "what LoRA adds to a layer's output is scaled by it")
    lora_dropout: float = flag(0.0, "dropout of the input of LoRA's matrices alone")
    lora_scaling: str = flag("alpha/r", "the factor: alpha / rank, alpha itself, or alpha / the "
                             "root of the rank", choices=SCALINGS)
    lora_target_modules: list[str] | None = flag(
        None, "linear layers that get an adapter, by the ends of their names, such as c_attn "
        f"mlp.c_proj; {ALL_LINEAR}: all of them (default: c_attn)")
    lora_target_pattern: str | None = flag(
        None, "the same as one regular expression for the whole name, such as "
        r".*\.h\.[01]\.attn\.c_proj, in place of --lora_target_modules")
    lora_layers: list[int] | None = flag(None, "only in these blocks, counted from 0")
    lora_enable: str | None = flag(
        None, "the parts of c_attn that are adapted, each with matrices of its own: q,v as in "
        "microsoft/LoRA (default: c_attn as one matrix, as in peft)")
    lora_rank_pattern: list[str] | None = flag(
        None, r"other ranks, as PATTERN=RANK: the end of a name or an expression, h\.0\..*=8")
    lora_alpha_pattern: list[str] | None = flag(None, "other alphas, as PATTERN=ALPHA")
    lora_bias: str = flag("none", "biases that are trained too: none, all, or those of the layers "
                          "with an adapter", choices=BIASES)
    lora_tokens: list[str] | None = flag(
        None, "rows of the embedding, and so of the head, that are trained too: new (those that "
        "the weights lack), none, all, or numbers of tokens (default: new)")
    lora_modules_to_save: list[str] | None = flag(
        None, "other layers that are trained whole, such as ln_f")
    lora_init: str = flag("kaiming", "start of the matrices: A uniform as in microsoft/LoRA and B "
                          "zero, A normal and B zero, or both at random", choices=tuple(INITS))

    def __post_init__(self):
        require_not_negative(self, "lora_dim")
        require_below_one(self, "lora_dropout")
        require(math.isfinite(self.lora_alpha), f"--lora_alpha must be finite, got "
                f"{self.lora_alpha}")
        require(self.lora_target_pattern is None or self.lora_target_modules is None,
                "--lora_target_modules and --lora_target_pattern name the same: leave one out")
        require(self.lora_target_pattern is None or self.lora_layers is None,
                "--lora_layers does not go with --lora_target_pattern: write the blocks into it")
        require(all(layer >= 0 for layer in self.lora_layers or ()),
                f"--lora_layers counts blocks from 0, got {self.lora_layers}")
        require(ALL_LINEAR not in self.targets or self.targets == ALL_LINEAR,
                f"--lora_target_modules {ALL_LINEAR} stands alone: it names every linear layer")
        require(self.targets != ALL_LINEAR or self.lora_layers is None,
                f"--lora_layers does not go with {ALL_LINEAR}: name the layers, such as c_attn "
                "c_proj c_fc")
        self.enabled, self.ranks, self.alphas, self.tokens  # noqa: B018  each checks its flag
        for pattern, rank in self.ranks.items():
            require(rank >= 1, f"--lora_rank_pattern {pattern}={rank}: a rank is at least 1")

    @property
    def targets(self) -> str | tuple[str, ...]:
        """A regular expression, "all-linear", or ends of names."""
        if self.lora_target_pattern is not None:
            return self.lora_target_pattern
        named = tuple(self.lora_target_modules or ("c_attn",))
        return ALL_LINEAR if named == (ALL_LINEAR,) else named

    @property
    def enabled(self) -> tuple[bool, ...] | None:
        """Whether q, k and v are adapted; None where c_attn is one matrix."""
        if self.lora_enable is None:
            return None
        named = [part.strip() for part in self.lora_enable.split(",")]
        require({*named} <= {*PARTS} and len({*named}) == len(named),
                f"--lora_enable takes q, k and v with commas between them, got {self.lora_enable}")
        return tuple(part in named for part in PARTS)

    @property
    def ranks(self) -> dict[str, int]:
        return _pairs("lora_rank_pattern", self.lora_rank_pattern, int)

    @property
    def alphas(self) -> dict[str, float]:
        return _pairs("lora_alpha_pattern", self.lora_alpha_pattern, float)

    @property
    def tokens(self) -> str | tuple[int, ...]:
        """One of TOKENS, or numbers of tokens."""
        words = self.lora_tokens or ["new"]
        if len(words) == 1 and words[0] in TOKENS:
            return words[0]
        require(all(word.isdecimal() for word in words) and len({*words}) == len(words),
                f"--lora_tokens takes {', '.join(TOKENS)} or different numbers of tokens, got "
                f"{' '.join(words)}")
        return tuple(map(int, words))


def _pairs(name: str, given: list[str] | None, kind) -> dict:
    found = {}
    for word in given or ():
        pattern, _, value = word.rpartition("=")
        try:
            found[pattern] = kind(value)
            require(bool(pattern) and math.isfinite(found[pattern]), "")
        except ValueError:
            raise ValueError(f"--{name} takes PATTERN=NUMBER, got {word}") from None
    return found
