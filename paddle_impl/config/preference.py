"""Flags of direct preference optimization: the loss, and what of a pair it is of."""

import math
from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require, require_not_negative

SMOOTHED = "sigmoid"  # the only loss that label smoothing is defined for here
# loss -> what a response's log-probability is over its tokens
LOSSES = {
    SMOOTHED: "sum", "sigmoid_norm": "mean", "ipo": "sum", "ipo_norm": "mean", "hinge": "sum"}


@dataclass(frozen=True, kw_only=True)
class PreferenceOptions(Options):
    """Flags of direct preference optimization (Rafailov et al. 2023)."""

    dpo_loss: str = flag(
        "sigmoid_norm", "DPO's loss sigmoid, ipo or hinge, with a response's log-probability as "
        "the sum over its tokens, as in the papers; with _norm as their mean, as in rasbt's code",
        choices=tuple(LOSSES))
    beta: float = flag(0.1, "a larger one keeps the policy closer to the reference",
                       aliases=("--dpo_beta",))
    label_smoothing: float = flag(
        0.0, f"with --dpo_loss {SMOOTHED}: the share of pairs that may be the wrong way round")
    sft_weight: float = flag(
        0.0, "what the chosen response's cross entropy, the mean over its tokens, is multiplied by "
        "and added to the loss")
    response_mask: str = flag(
        "answer", "answer: prompt and answer are encoded apart, and the answer's tokens and its "
        "end token count; legacy: as in rasbt's code one text, of which the header of the "
        "response counts too and no end token", choices=("answer", "legacy"))

    def __post_init__(self):
        require(0.0 < self.beta < math.inf, f"--beta must be positive and finite, got {self.beta}")
        require(0.0 <= self.label_smoothing < 0.5,
                f"--label_smoothing must lie in [0, 0.5), got {self.label_smoothing}")
        require(not self.label_smoothing or self.dpo_loss == SMOOTHED,
                f"--label_smoothing {self.label_smoothing} is for --dpo_loss {SMOOTHED}, not for "
                f"{self.dpo_loss}: leave it out")
        require_not_negative(self, "sft_weight")
