"""Flags of the optimizer, which is AdamW."""

from dataclasses import dataclass

from paddle_impl.config.options import (
    Options,
    flag,
    require,
    require_below_one,
    require_not_negative,
)


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(Options):
    weight_decay: float = flag(0.0, "decoupled decay of matrices and embeddings, never of biases")
    grad_clip: float = flag(0.0, "bound on the global gradient norm; 0 does not clip")
    adam_beta1: float = flag(0.9, "AdamW beta1")
    adam_beta2: float = flag(0.999, "AdamW beta2")
    adam_epsilon: float = flag(1e-8, "AdamW epsilon")

    def __post_init__(self):
        require_not_negative(self, "weight_decay", "grad_clip")
        require_below_one(self, "adam_beta1", "adam_beta2")
        require(self.adam_epsilon > 0, f"--adam_epsilon must be positive, got {self.adam_epsilon}")
