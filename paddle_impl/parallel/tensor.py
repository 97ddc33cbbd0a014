"""Tensor parallelism: n processes hold one model, each a share of its large tensors.

Attention is split by heads, the MLP by its inner width, the embedding and the tied head by rows of
the vocabulary. Every process holds the LayerNorms, the position embedding and the biases added
after an all_reduce, with equal values and equal gradients.
Source: Shoeybi et al. 2019 (Megatron-LM), section 3.

Paddle's own layers for this (fleet's mpu) need calls that gloo lacks. These layers need all_reduce,
and all_gather for entire tensors. NCCL has both, but only gloo has been run.
Process i of n holds the range v * i // n to v * (i + 1) // n of a dimension of size v, so that any
size can be split, such as 50257 rows.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from paddle_impl.config.model import ModelConfig
from paddle_impl.parallel.ranks import ALONE, Group
from paddle_impl.parallel.regions import CopyTo, GatherFrom, ReduceFrom

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
# Names of split parameters, and of optimizer state of the same shape (`<parameter>.moment1`). A
# beta power is one number and is not split.
_NAME = re.compile(r"(?:^|\.)((?:wte|(?:attn|mlp)\.c_\w+)\.(?:weight|bias))(?:\.(?!\w*_pow)\w+)?$")


@dataclass(frozen=True)
class Parts:
    """Which share of the split tensors this process holds. For one process, nothing is split.

    index: this process, of `degree`.
    """

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
        """Enter a split region: returns x; the gradient is summed over the processes."""
        return x if self.degree == 1 else CopyTo.apply(x, self.group)

    def reduce_from(self, x: paddle.Tensor) -> paddle.Tensor:
        """Leave a split region: x summed over the processes; the gradient is passed on as it is."""
        return x if self.degree == 1 else ReduceFrom.apply(x, self.group)

    def gather_from(self, x: paddle.Tensor, size: int) -> paddle.Tensor:
        """Join shares (..., own) along the last axis to (..., size), in every process."""
        return x if self.degree == 1 else GatherFrom.apply(x, self, size)

    def embedding(self, rows: int, width: int, **options) -> nn.Embedding:
        """An embedding, ids (...) -> (..., width), whose table is split by rows."""
        if self.degree == 1:
            return nn.Embedding(rows, width, **options)
        return SplitEmbedding(self, rows, width, **options)

    def head_dropout(self, dropout: nn.Dropout) -> nn.Layer:
        """The dropout for attention weights (B, own heads, T, S)."""
        return dropout if self.degree == 1 else HeadDropout(dropout, self)

    def splits(self, name: str) -> bool:
        """Whether the parameter or moment of that name is split over the processes."""
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
                  for share in self.gathered(tensor, axis, size)]
        return np.concatenate([share[i] for i in range(pieces) for share in shares], axis)

    def _axis(self, name: str) -> int | None:
        match = _NAME.search(name) if self.degree > 1 else None
        return _AXES.get(match[1]) if match else None

    def _range(self, size: int, index: int) -> tuple[int, int]:
        return size * index // self.degree, size * (index + 1) // self.degree

    def gathered(self, x: paddle.Tensor, axis: int, size: int) -> list[paddle.Tensor]:
        """The shares of all processes along an axis, whose entire size is `size`.

        Only equal shapes can be gathered, so shorter shares are padded, and cut again afterwards.
        """
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
    """Parts to split separately: 3 for c_attn, whose columns are those of q, then k, then v."""
    return 3 if ".c_attn." in name else 1


class SplitEmbedding(nn.Embedding):
    """ids (...) -> (..., width): each process looks up its own rows; all_reduce adds the results.

    An id outside the vocabulary gives NaN, which stops the run. It does not raise, because an error
    in one process would leave the others waiting in the all_reduce.
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
    """Dropout with the mask that a single process would draw: it draws one for all heads and uses
    the part of its own heads.

    This costs a tensor of ones as large as the attention weights of all heads.
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
    """(ids - first, whether first <= id < end), both of the ids' shape; index 0 for other ids."""
    own = paddle.logical_and(ids >= first, ids < end)
    return paddle.where(own, ids - first, paddle.zeros_like(ids)), own


def nan_outside(ids: paddle.Tensor, rows: int, dtype) -> paddle.Tensor:
    """0 for ids in the vocabulary, NaN for others."""
    inside = paddle.logical_and(ids >= 0, ids < rows)
    nothing = paddle.zeros(ids.shape, dtype)
    return paddle.where(inside, nothing, nothing + math.nan)
