"""Models with other heads than the language model's, which is in model.py.

Shapes as in model.py; L labels.
"""

import paddle
from paddle import nn

from paddle_impl.config.model import CLASSIFIER, ModelConfig
from paddle_impl.model import GPT, GPTForCausalLM
from paddle_impl.parallel.tensor import WHOLE, Parts


class GPTForSequenceClassification(GPT):
    """input_ids (B, T) int64 -> logits (B, L), read at each row's last token that is not padding.

    Padding is `config.pad_token_id`, on either side of a row; of a row of padding alone the first
    token is used. Positions count padding, as in transformers.GPT2ForSequenceClassification without
    position_ids, unless there is an attention_mask. ValueError if the config has no labels.
    """

    architecture = CLASSIFIER

    def __init__(self, config: ModelConfig, parts: Parts = WHOLE):
        super().__init__(config, parts)
        if not config.labels:
            raise ValueError("a classifier needs labels: its config has none")
        self.score = Score(config.n_embd, len(config.labels))

    def forward(
        self, input_ids: paddle.Tensor, *, attention_mask: paddle.Tensor | None = None,
        position_ids: paddle.Tensor | None = None,
    ) -> paddle.Tensor:
        """attention_mask, position_ids (B, T): see GPTModel. With the mask a row gives the same on
        whichever side it is padded. The row's end goes by pad_token_id all the same; ValueError for
        several rows if the config has none, because where each one ends is then unknown.
        """
        recompute = self.recompute and self.training
        hidden = self.transformer(input_ids, recompute=recompute, attention_mask=attention_mask,
                                  position_ids=position_ids)  # (B, T, C)
        rows = paddle.arange(input_ids.shape[0], dtype="int64")
        at = paddle.stack([rows, self._last(input_ids)], axis=1)  # (B, 2)
        return self.score(paddle.gather_nd(hidden, at))  # (B, L)

    def _last(self, input_ids: paddle.Tensor) -> paddle.Tensor:
        """The index of each row's last token that is not padding, (B,) int64."""
        batch, length = input_ids.shape
        padding = self.config.pad_token_id
        if padding is None:
            if batch > 1:
                raise ValueError("to classify several rows at once the config needs a pad_token_id")
            return paddle.full([1], length - 1, "int64")
        counted = paddle.arange(length, dtype="int64") * (input_ids != padding).astype("int64")
        return counted.max(axis=1)


class Score(nn.Layer):
    """(..., C) -> (..., L) without bias. The weight is [L, C], as HF stores it."""

    def __init__(self, width: int, labels: int):
        super().__init__()
        zero = nn.initializer.Constant(0.0)
        self.weight = self.create_parameter([labels, width], default_initializer=zero)

    def forward(self, x):
        return paddle.matmul(x, self.weight, transpose_y=True)


ARCHITECTURES: dict[str, type[GPT]] = {
    model.architecture: model for model in (GPTForCausalLM, GPTForSequenceClassification)
}


def build(config: ModelConfig, architecture: str, parts: Parts = WHOLE) -> GPT:
    """The model that config.json's `architectures` names; ValueError for one that is not known."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f"there is no model for the architecture {architecture}; known: "
                         f"{', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture](config, parts)
