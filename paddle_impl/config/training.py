"""Flags of the training loop: number of steps, dropout, and tolerated non-finite steps."""

from dataclasses import dataclass

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import (
    Options,
    flag,
    not_built,
    require,
    require_at_least_one,
    require_below_one,
    require_not_negative,
)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(Options):
    max_steps: int = flag(500000, "optimizer steps of the whole run, resumed ones included")
    hidden_dropout_prob: float = flag(0.1, "dropout of embeddings and residual branches")
    attention_probs_dropout_prob: float = flag(0.1, "dropout of attention probabilities")
    check_accuracy: bool = flag(False, "switch all dropout off, for comparing runs")
    skip_nonfinite: int = flag(0, "steps of the whole run whose loss or gradient may be NaN or "
                               "infinite: their update is left out; one more stops the run")
    key_tokens: list[str] | None = flag(
        None, "words, such as plt pd sk fit predict, that make a sample count the more in the "
        "training loss, the more of them are in it: alpha x (1 + their number); each is one token "
        "of the tokenizer, with and without a space before it")
    key_token_alpha: float | None = flag(
        None, "with --key_tokens: factor of the loss (default: 1)")
    enable_addto: bool = flag(False, "in-place gradient addition of static graphs (not built)")

    def __post_init__(self):
        require_at_least_one(self, "max_steps")
        require_below_one(self, "hidden_dropout_prob", "attention_probs_dropout_prob")
        require_not_negative(self, "skip_nonfinite")
        require(self.key_tokens is None or len(self.key_tokens) > 0 and all(self.key_tokens),
                "--key_tokens takes one word or several, such as plt pd")
        if (alpha := self.key_token_alpha) is not None:
            require(self.key_tokens is not None,
                    f"--key_token_alpha {alpha} means nothing without --key_tokens")
            require(0.0 < alpha < float("inf"), "--key_token_alpha must be positive and finite, "
                    f"got {alpha}")
        if self.enable_addto:
            raise not_built("--enable_addto", "leave it out")

    def key_settings(self) -> dict[str, str | float]:
        """The flags of the key tokens by name, empty without any."""
        if self.key_tokens is None:
            return {}
        return {"key_tokens": " ".join(self.key_tokens),
                "key_token_alpha": self.key_token_alpha or 1.0}

    def with_dropout(self, model: ModelConfig) -> ModelConfig:
        """The model's configuration with this run's dropout."""
        hidden = 0.0 if self.check_accuracy else self.hidden_dropout_prob
        attention = 0.0 if self.check_accuracy else self.attention_probs_dropout_prob
        return model.with_(embd_pdrop=hidden, resid_pdrop=hidden, attn_pdrop=attention)
