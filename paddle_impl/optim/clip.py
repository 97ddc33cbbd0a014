"""The gradient norm of a whole model, and clipping by it, as PyTorch does it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import paddle

from paddle_impl.optim.precision import HALF
from paddle_impl.parallel.ranks import ALONE, Group


@dataclass(frozen=True)
class NormReduction:
    """How squared norms of gradients are summed over processes that hold parts of them.

    split: for each parameter, whether it is split over the processes of `model`. owners: a group in
    which each gradient is with one process only.
    """

    split: Sequence[bool]
    model: Group = ALONE
    owners: Group = ALONE

    def complete(self, parameters, squares: list[paddle.Tensor]) -> list[paddle.Tensor]:
        """The squared gradient norm of every entire parameter, in order, in every process.

        squares: scalars, for those `parameters` that have a gradient in this process. All processes
        get the squares in one order, so that their sum is the same bit for bit.
        """
        own = iter(squares)
        nothing = paddle.zeros([], "float64")
        parts = paddle.stack([nothing if parameter.grad is None else next(own).astype("float64")
                              for parameter in parameters])
        self.owners.all_reduce_([parts])
        split = paddle.to_tensor(self.split)
        shares = paddle.where(split, parts, paddle.zeros_like(parts))
        self.model.all_reduce_([shares])
        return paddle.where(split, shares, parts).unbind()


@paddle.no_grad()
def clip_grad_norm(
    parameters: list, max_norm: float, reduction: NormReduction | None = None
) -> float:
    """Scale the gradients in place so that their global norm is at most max_norm.

    Returns the norm before clipping. The coefficient is min(1, max_norm / (norm + 1e-6)), as in
    torch.nn.utils.clip_grad_norm_; Paddle's ClipGradByGlobalNorm lacks the 1e-6. max_norm 0 does
    not clip. parameters: objects with a gradient, or None, as `.grad`. reduction: needed if this
    process does not hold all gradients.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    # Not paddle.nn.utils.clip_grad_norm_: its p_norm adds the elements one by one. On a CPU in
    # float32 the norm of GPT-2's embedding (38.6 million entries) is 5 % too small, and the call is
    # ten times slower.
    squares = [(grad * grad).sum() for grad in map(_squarable, grads)]
    if reduction is not None:
        squares = reduction.complete(parameters, squares)
    if not squares:
        return 0.0
    norm = math.sqrt(float(paddle.stack(squares).astype("float64").sum()))
    if max_norm > 0 and norm + 1e-6 > max_norm and math.isfinite(norm):
        for grad in grads:
            grad.scale_(max_norm / (norm + 1e-6))
    return norm


def _squarable(grad: paddle.Tensor) -> paddle.Tensor:
    """The gradient in a type that holds its squares; the square of 256 overflows float16."""
    return grad.astype("float32") if grad.dtype in HALF else grad
