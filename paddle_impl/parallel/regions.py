"""The borders of a region whose tensors are split over processes, with their gradients.

Source: Shoeybi et al. 2019 (Megatron-LM), section 3, the functions f and g.
"""

import paddle
from paddle.autograd import PyLayer

# Each clone below costs a (B, T, C) tensor. Without it the PyLayer would return its argument, which
# Paddle treats as an in-place operation: other uses of x would silently get a wrong gradient.


class CopyTo(PyLayer):
    @staticmethod
    def forward(ctx, x, group):
        ctx.group = group
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        total = gradient.clone()
        ctx.group.all_reduce_([total])
        return total


class ReduceFrom(PyLayer):
    @staticmethod
    def forward(ctx, x, group):
        total = x.clone()
        group.all_reduce_([total])
        return total

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class GatherFrom(PyLayer):
    @staticmethod
    def forward(ctx, x, parts, size):
        ctx.bounds = parts.bounds(size)
        return paddle.concat(parts.gathered(x, x.ndim - 1, size), axis=-1)

    @staticmethod
    def backward(ctx, gradient):
        # All processes compute the same from the joined tensor, so each has its entire gradient,
        # which must not be summed.
        first, end = ctx.bounds
        return gradient[..., first:end].clone()
