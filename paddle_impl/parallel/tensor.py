"""Tensor parallelism: n processes hold one model, each a share of its large tensors.

Attention is split by heads, the MLP by its inner width, the embedding and the tied head by rows of
the vocabulary; LayerNorms, positions and the biases that follow a sum are in every process, with
equal values and equal gradients. Source: Shoeybi et al. 2019 (Megatron-LM), section 3.

Paddle's own layers for this (fleet's mpu) need calls that gloo lacks; these need only all_reduce,
and all_gather where somebody wants a whole tensor. NCCL has both too, but here only gloo was run.
Shares of a dimension of v are the ranges v * i // n to v * (i + 1) // n: 50257 rows split too.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn
from paddle.autograd import PyLayer

from paddle_impl.config.model import ModelConfig
from paddle_impl.parallel.ranks import ALONE, Group

# The axis along which a tensor is split.
_AXES = {
    "wte.weight": 0,
    "attn.c_attn.weight": 1,
    "attn.c_attn.bias": 0,
    "attn.c_proj.weight": 0,
    "mlp.c_fc.weight": 1,
    "mlp.c_fc.bias": 0,
    "mlp.c_proj.weight": 0,
}
# A parameter, or what an optimizer keeps for each of its numbers; beta powers are one number.
_NAME = re.compile(r"(?:^|\.)((?:wte|(?:attn|mlp)\.c_\w+)\.(?:weight|bias))(?:\.(?!\w*_pow)\w+)?$")


@dataclass(frozen=True)
class Parts:
    """This process's share of a model. Alone, every operation returns its argument."""

    group: Group = ALONE

    @property
    def degree(self) -> int:
        return self.group.size

    @property
    def index(self) -> int:
        return self.group.rank

    def check(self, config: ModelConfig) -> None:
        """ValueError where a model cannot be split into that many parts."""
        for what, size in (("attention heads", config.n_head), ("MLP width", config.inner)):
            if size % self.degree:
                raise ValueError(
                    f"--mp_degree {self.degree} does not divide the model's {what}, {size}: "
                    f"name a divisor of {math.gcd(config.n_head, config.inner)}"
                )
        if self.degree > config.vocab_size:
            raise ValueError(f"--mp_degree {self.degree} exceeds the {config.vocab_size} tokens "
                             "of the model's vocabulary")

    def bounds(self, size: int) -> tuple[int, int]:
        """First and end of this process's share of a dimension."""
        return self._range(size, self.index)

    def copy_to(self, x: paddle.Tensor) -> paddle.Tensor:
        """Into a split region: x as it is; its gradient is the sum of all processes'."""
        return x if self.degree == 1 else _CopyTo.apply(x, self.group)

    def reduce_from(self, x: paddle.Tensor) -> paddle.Tensor:
        """Out of a split region: the sum of all processes' x; the gradient as it is."""
        return x if self.degree == 1 else _ReduceFrom.apply(x, self.group)

    def gather_from(self, x: paddle.Tensor, size: int) -> paddle.Tensor:
        """Shares (..., own) of a last dimension to the whole (..., size), in every process."""
        return x if self.degree == 1 else _GatherFrom.apply(x, self, size)

    def embedding(self, rows: int, width: int, **options) -> nn.Embedding:
        """ids -> (..., width), the table split by rows."""
        if self.degree == 1:
            return nn.Embedding(rows, width, **options)
        return SplitEmbedding(self, rows, width, **options)

    def head_dropout(self, dropout: nn.Dropout) -> nn.Layer:
        """The same dropout for attention weights of which this process holds its heads."""
        return dropout if self.degree == 1 else HeadDropout(dropout, self)

    def splits(self, name: str) -> bool:
        """Whether the parameter, or its moment, of that name is another in every process."""
        return self._axis(name) is not None

    def whole_shape(self, name: str, shape: list[int], vocab_size: int) -> tuple[int, ...]:
        """The shape of the entire parameter, from that of this process's share."""
        axis, whole = self._axis(name), list(shape)
        if axis is not None:
            whole[axis] = vocab_size if _rows(name) else shape[axis] * self.degree
        return tuple(whole)

    def own(self, name: str, array: np.ndarray) -> np.ndarray:
        """This process's share of an entire parameter or moment (`<parameter>.<slot>`)."""
        axis = self._axis(name)
        if axis is None:
            return array
        pieces = np.split(array, _pieces(name), axis)
        cut = (slice(None),) * axis + (slice(*self.bounds(pieces[0].shape[axis])),)
        return np.concatenate([piece[cut] for piece in pieces], axis)

    @paddle.no_grad()
    def whole(self, name: str, tensor: paddle.Tensor) -> np.ndarray:
        """The entire parameter or moment; every process of the group calls it at the same time."""
        axis = self._axis(name)
        if axis is None:
            return tensor.numpy()
        size = tensor.shape[axis] * self.degree
        if _rows(name):
            size = int(self.group.total(tensor.shape[axis])[0])
        pieces = _pieces(name)
        shares = [np.split(share.numpy(), pieces, axis)
                  for share in self._gathered(tensor, axis, size)]
        return np.concatenate([share[i] for i in range(pieces) for share in shares], axis)

    def _axis(self, name: str) -> int | None:
        match = _NAME.search(name) if self.degree > 1 else None
        return _AXES.get(match[1]) if match else None

    def _range(self, size: int, index: int) -> tuple[int, int]:
        return size * index // self.degree, size * (index + 1) // self.degree

    def _gathered(self, x: paddle.Tensor, axis: int, size: int) -> list[paddle.Tensor]:
        """All processes' shares of a dimension of that size; only equal shapes can be gathered."""
        largest = -(-size // self.degree)
        if missing := largest - x.shape[axis]:
            shape = [*x.shape]
            shape[axis] = missing
            x = paddle.concat([x, paddle.zeros(shape, x.dtype)], axis=axis)
        ranges = [self._range(size, index) for index in range(self.degree)]
        return [paddle.slice(share, [axis], [0], [end - first])
                for share, (first, end) in zip(self.group.gather(x), ranges, strict=True)]


WHOLE = Parts()


def _rows(name: str) -> bool:
    return "wte.weight" in name


def _pieces(name: str) -> int:
    """c_attn holds q, k and v side by side: its heads are columns of each, not of the whole."""
    return 3 if ".c_attn." in name else 1


# The copies below cost one (B, T, C) each. Without them Paddle takes a PyLayer that returns its
# argument for an operation in place: whoever else uses x then gets a wrong gradient in silence.


class _CopyTo(PyLayer):
    @staticmethod
    def forward(ctx, x, group):
        ctx.group = group
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        total = gradient.clone()
        ctx.group.all_reduce_([total])
        return total


class _ReduceFrom(PyLayer):
    @staticmethod
    def forward(ctx, x, group):
        total = x.clone()
        group.all_reduce_([total])
        return total

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class _GatherFrom(PyLayer):
    @staticmethod
    def forward(ctx, x, parts, size):
        ctx.bounds = parts.bounds(size)
        return paddle.concat(parts._gathered(x, x.ndim - 1, size), axis=-1)

    @staticmethod
    def backward(ctx, gradient):
        # Every process goes on with the same whole, so its gradient is whole in each: no sum.
        first, end = ctx.bounds
        return gradient[..., first:end].clone()


class SplitEmbedding(nn.Embedding):
    """ids (...) -> (..., width): rows of other processes count as zero, and all are summed.

    An id outside the vocabulary gives NaN, which stops a run: were one process alone to raise, the
    others would wait for it.
    """

    def __init__(self, parts: Parts, rows: int, width: int, **options):
        self.first, self.end = parts.bounds(rows)
        super().__init__(self.end - self.first, width, **options)
        self.rows = rows
        self.parts = parts

    def forward(self, ids):
        index, own = own_ids(ids, self.first, self.end)
        factor = own.astype(self.weight.dtype) + nan_outside(ids, self.rows, self.weight.dtype)
        return self.parts.reduce_from(super().forward(index) * factor.unsqueeze(-1))


class HeadDropout(nn.Layer):
    """Drops as one process would: the mask is drawn for all heads, and this process's heads taken.

    Its price is a tensor of ones as large as the attention weights of all heads.
    """

    def __init__(self, dropout: nn.Dropout, parts: Parts):
        super().__init__()
        self.dropout = dropout
        self.parts = parts

    def forward(self, weights):  # (B, H / n, T, S)
        if not (self.training and self.dropout.p):
            return self.dropout(weights)
        batch, own, *rest = weights.shape
        heads = own * self.parts.degree
        scale = self.dropout(paddle.ones([batch, heads, *rest], weights.dtype))
        first, end = self.parts.bounds(heads)
        return weights * scale[:, first:end]


def own_ids(ids: paddle.Tensor, first: int, end: int) -> tuple[paddle.Tensor, paddle.Tensor]:
    """(index into rows first to end, whether it is there); 0 for ids of other processes."""
    own = paddle.logical_and(ids >= first, ids < end)
    return paddle.where(own, ids - first, paddle.zeros_like(ids)), own


def nan_outside(ids: paddle.Tensor, rows: int, dtype) -> paddle.Tensor:
    """0 for ids in the vocabulary, NaN for others."""
    inside = paddle.logical_and(ids >= 0, ids < rows)
    nothing = paddle.zeros(ids.shape, dtype)
    return paddle.where(inside, nothing, nothing + math.nan)
