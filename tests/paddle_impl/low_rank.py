"""A Linear with a low-rank adapter that was not merged, as LoRA trains it, for tests."""

import numpy as np
import paddle
from paddle import nn


class LowRank(nn.Layer):
    """x -> own(x) + x A B; neither A nor B is zero."""

    def __init__(self, own: nn.Layer, rank: int = 2):
        super().__init__()
        inputs, outputs = own.weight.shape
        stream = np.random.default_rng(7)
        self.own = own
        self.a = self._weight(stream, inputs, rank)
        self.b = self._weight(stream, rank, outputs)

    def forward(self, x):
        return self.own(x) + paddle.matmul(paddle.matmul(x, self.a), self.b)

    def _weight(self, stream, rows, columns):
        values = stream.normal(0.0, 0.5, (rows, columns)).astype(np.float32)
        return self.create_parameter([rows, columns],
                                     default_initializer=nn.initializer.Assign(values))


def substitute(parent: nn.Layer, name: str, kind) -> None:
    """Put `kind(layer)` in the place of the parent's layer of that name."""
    setattr(parent, name, kind(getattr(parent, name)))


def recomputed_greedy(model, prompt: list[int], count: int) -> list[int]:
    """The likeliest tokens by the model's own forward pass over all tokens, without a cache."""
    model.eval()
    tokens = list(prompt)
    with paddle.no_grad():
        for _ in range(count):
            tokens.append(int(model(paddle.to_tensor([tokens]))[0, -1].argmax()))
    return tokens[len(prompt):]
