"""Models with other heads than the language model's, which is in model.py.

Shapes as in model.py; L labels.
"""

import zlib

import numpy as np
import paddle
from paddle import nn

from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.config.model import CLASSIFIER, ModelConfig
from paddle_impl.layers.linear import Linear
from paddle_impl.model import GPT, GPTForCausalLM
from paddle_impl.parallel.tensor import WHOLE, Parts


class GPTForSequenceClassification(GPT):
    """input_ids (B, T) int64 -> logits (B, L), read at each row's last token that is not padding,
    or as the `pooling` of a ClassifierConfig says.

    Padding is what an attention_mask says, on either side of a row; without one it is
    `config.pad_token_id`, and positions count it, as in transformers.GPT2ForSequenceClassification
    without position_ids. Of a row of padding alone the first token is used. ValueError if the
    config has no labels.
    """

    architecture = CLASSIFIER

    def __init__(self, config: ModelConfig, parts: Parts = WHOLE):
        super().__init__(config, parts)
        if not config.labels:
            raise ValueError("a classifier needs labels: its config has none")
        told = ClassifierConfig.of(config)
        self.pooling, self.head_name = told.pooling, "out_head" if told.score_bias else "score"
        head = Linear if told.score_bias else Score
        setattr(self, self.head_name, head(config.n_embd, len(config.labels)))

    def forward(
        self, input_ids: paddle.Tensor, *, attention_mask: paddle.Tensor | None = None,
        position_ids: paddle.Tensor | None = None,
    ) -> paddle.Tensor:
        """attention_mask, position_ids (B, T): see GPTModel. With the mask a row gives the same on
        whichever side it is padded. ValueError for several rows if there is neither a mask nor a
        pad_token_id, because where each one ends is then unknown.
        """
        recompute = self.recompute and self.training
        hidden = self.transformer(input_ids, recompute=recompute, attention_mask=attention_mask,
                                  position_ids=position_ids)  # (B, T, C)
        pooled = hidden[:, -1] if self.pooling == "last" else self._pooled(
            hidden, self._tokens(input_ids, attention_mask))
        return getattr(self, self.head_name)(pooled)  # (B, L)

    def _pooled(self, hidden, tokens):
        """(B, T, C), and 1 at tokens and 0 at padding (B, T) int64 -> (B, C)."""
        if self.pooling == "mean":
            kept = tokens.astype(hidden.dtype).unsqueeze(-1)  # (B, T, 1)
            return (hidden * kept).sum(axis=1) / kept.sum(axis=1).clip(min=1.0)
        batch, length = tokens.shape
        places, rows = paddle.arange(length, dtype="int64"), paddle.arange(batch, dtype="int64")
        at = (places * tokens).max(axis=1) if self.pooling == "flexible" else (
            places * tokens + length * (1 - tokens)).min(axis=1) % length
        return paddle.gather_nd(hidden, paddle.stack([rows, at], axis=1))

    def _tokens(self, input_ids, attention_mask):
        """1 at tokens and 0 at padding, (B, T) int64."""
        padding = self.config.pad_token_id
        if attention_mask is not None:
            return attention_mask.astype("int64")
        if padding is None:
            if input_ids.shape[0] > 1:
                raise ValueError("to classify several rows at once the config needs a pad_token_id")
            return paddle.ones_like(input_ids)
        return (input_ids != padding).astype("int64")


class Score(nn.Layer):
    """(..., C) -> (..., L) without bias. The weight is [L, C], as HF stores it."""

    def __init__(self, width: int, labels: int):
        super().__init__()
        zero = nn.initializer.Constant(0.0)
        self.weight = self.create_parameter([labels, width], default_initializer=zero)

    def forward(self, x):
        return paddle.matmul(x, self.weight, transpose_y=True)


def initialize_head(model: GPTForSequenceClassification, seed: int) -> None:
    """Set the head's weight as model.initialize does, unless it is the base of an adapter.

    Such a base stays zero, so that the adapter is all there is to save.
    """
    name = f"{model.head_name}.weight"
    for own, parameter in model.named_parameters():
        if own == name:
            stream = np.random.default_rng([seed, zlib.crc32(name.encode())])
            values = stream.standard_normal(tuple(parameter.shape), dtype=np.float32)
            parameter.set_value((values * np.float32(model.config.initializer_range)).astype(
                str(parameter.dtype).rpartition(".")[2]))


ARCHITECTURES: dict[str, type[GPT]] = {
    model.architecture: model for model in (GPTForCausalLM, GPTForSequenceClassification)
}


def build(config: ModelConfig, architecture: str, parts: Parts = WHOLE) -> GPT:
    """The model that config.json's `architectures` names; ValueError for one that is not known."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f"there is no model for the architecture {architecture}; known: "
                         f"{', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture](config, parts)
