"""Flags of the optimizer: AdamW, in one of two forms."""

from dataclasses import dataclass

from paddle_impl.config.options import (
    Options,
    flag,
    require,
    require_below_one,
    require_not_negative,
)

ADAMW, LEGACY = OPTIMIZERS = ("adamw", "adamw_legacy")


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(Options):
    optimizer: str = flag(
        ADAMW, "adamw: torch's and Paddle's; adamw_legacy: that of transformers before version 5 "
        "and of microsoft/LoRA, which decays after the update", choices=OPTIMIZERS)
    weight_decay: float = flag(0.0, "decoupled decay of matrices and embeddings, never of biases")
    grad_clip: float = flag(0.0, "bound on the global gradient norm; 0 does not clip")
    adam_beta1: float = flag(0.9, "AdamW beta1")
    adam_beta2: float = flag(0.999, "AdamW beta2")
    adam_epsilon: float = flag(1e-8, "AdamW epsilon")

    correct_bias: bool = flag(True, "adamw_legacy: the moments are corrected for their first steps")
    no_decay_bias: bool = flag(
        True, "biases and LayerNorm gains do not decay; with adamw_legacy they may")

    def __post_init__(self):
        for name in ("correct_bias", "no_decay_bias"):
            require(getattr(self, name) or self.optimizer == LEGACY,
                    f"--{name} false is for --optimizer {LEGACY}")
        require_not_negative(self, "weight_decay", "grad_clip")
        require_below_one(self, "adam_beta1", "adam_beta2")
        require(self.adam_epsilon > 0, f"--adam_epsilon must be positive, got {self.adam_epsilon}")
