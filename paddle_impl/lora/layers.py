"""Layers with an adapter, around layers of the model. Parameters have peft's names and shapes.

Shapes: r rank, C width, V vocabulary, k trained rows.
"""

import math
import zlib

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_impl.layers.linear import Linear


class Matrix(nn.Layer):
    """x (..., in) -> (..., out). The weight is [out, in], as peft stores it."""

    def __init__(self, inputs: int, outputs: int, dtype: str):
        super().__init__()
        self.weight = self.create_parameter(
            [outputs, inputs], dtype=dtype, default_initializer=nn.initializer.Constant(0.0))

    def forward(self, x):
        return paddle.matmul(x, self.weight, transpose_y=True)


class LoraLinear(nn.Layer):
    """x (..., in) -> base_layer(x) + scaling * B A dropout(x), (..., out).

    A is [r, in], B [out, r]. enabled: which of the equal parts of the outputs are adapted, each by
    its own rows of A and columns of B, as in loralib's MergedLinear; what lies outside of B's
    blocks stays zero. Source: Hu et al. 2021, https://github.com/microsoft/LoRA.
    """

    def __init__(self, base_layer: Linear, rank: int, scaling: float, dropout: float = 0.0,
                 enabled: tuple[bool, ...] | None = None):
        super().__init__()
        inputs, outputs = base_layer.weight.shape
        dtype = str(base_layer.weight.dtype).rpartition(".")[2]
        self.base_layer, self.scaling = base_layer, scaling
        self.lora_A = Matrix(inputs, rank, dtype)
        self.lora_B = Matrix(rank, outputs, dtype)
        self.lora_dropout = nn.Dropout(dropout)
        mask = None if enabled is None else paddle.to_tensor(
            blocks(enabled, outputs, rank).astype(dtype))
        self.register_buffer("blocks", mask, persistable=False)

    def forward(self, x):
        low = self.lora_A(self.lora_dropout(x)) * self.scaling  # (..., r)
        return self.base_layer(x) + paddle.matmul(low, self._b(), transpose_y=True)

    @paddle.no_grad()
    def delta(self) -> np.ndarray:
        """What the adapter adds to the base's weight, (in, out) float64."""
        a, b = (matrix.astype("float64").numpy() for matrix in (self.lora_A.weight, self._b()))
        return (b @ a).T * self.scaling

    def trained(self) -> int:
        """How many numbers A and B hold, without those that stay zero."""
        b = self.lora_B.weight.size if self.blocks is None else int(self.blocks.numpy().sum())
        return self.lora_A.weight.size + b

    def _b(self):
        b = self.lora_B.weight
        return b if self.blocks is None else b * self.blocks.astype(b.dtype)


class TokenRows(nn.Layer):
    """An embedding (V, C) of which some rows are replaced by trained ones, (k, C)."""

    def __init__(self, base_layer: nn.Embedding, indices: tuple[int, ...]):
        super().__init__()
        self.base_layer, self.indices = base_layer, indices
        rows = base_layer.weight.numpy()[list(indices)]
        self.trainable_tokens_delta = self.create_parameter(
            list(rows.shape), dtype=rows.dtype.name,
            default_initializer=nn.initializer.Assign(rows))

    def merged(self) -> paddle.Tensor:
        index = paddle.to_tensor(self.indices, dtype="int64")
        return paddle.scatter(self.base_layer.weight, index, self.trainable_tokens_delta)


class Embedding(nn.Layer):
    """ids -> rows. The head is tied to `weight`, in which the trained rows stand too."""

    def __init__(self, base_layer: nn.Embedding, indices: tuple[int, ...]):
        super().__init__()
        self.token_adapter = TokenRows(base_layer, indices)

    @property
    def weight(self) -> paddle.Tensor:
        return self.token_adapter.merged()

    def forward(self, ids):
        return F.embedding(ids, self.weight)


def blocks(enabled: tuple[bool, ...], outputs: int, rank: int) -> np.ndarray:
    """(outputs, rank) of ones and zeros: where B may differ from zero, one block a part.

    The outputs are as many equal parts as `enabled` is long; the rank is shared out to those that
    are adapted.
    """
    mask = np.zeros((outputs, rank), np.float32)
    height, width = outputs // len(enabled), rank // sum(enabled)
    for column, part in enumerate(np.flatnonzero(enabled)):
        mask[part * height : (part + 1) * height, column * width : (column + 1) * width] = 1.0
    return mask


def initialize(name: str, layer: LoraLinear, kind: bool | str, seed: int) -> None:
    """Set A and B. Each matrix has its own numpy stream, keyed by seed and name.

    kind: peft's init_lora_weights. True: A uniform within 1 / sqrt(in), which is torch's
    kaiming_uniform(a=sqrt(5)), and B zero. "gaussian": A normal of deviation 1 / r, B zero.
    False: both as A is with True.
    """
    for part in ("A", "B") if kind is False else ("A",):
        weight = getattr(layer, f"lora_{part}").weight
        key = zlib.crc32(f"{name}.lora_{part}.weight".encode())
        stream, (rank, inputs) = np.random.default_rng([seed, key]), weight.shape
        if kind == "gaussian":
            values = stream.standard_normal((rank, inputs)) / rank
        else:
            bound = 1.0 / math.sqrt(inputs)
            values = stream.uniform(-bound, bound, (rank, inputs))
        weight.set_value(values.astype(str(weight.dtype).rpartition(".")[2]))
