"""Linear layers, entire or split over processes by outputs or by inputs.

Paddle's Linear stores [in, out], as HF GPT-2's Conv1D does.
Source of the split: Shoeybi et al. 2019 (Megatron-LM), section 3.
"""

import paddle
from paddle import nn

from paddle_impl.parallel.tensor import Parts


class Linear(nn.Linear):
    """(..., in) -> (..., out), weight [in, out], all zero until initialised or loaded."""

    def __init__(self, inputs: int, outputs: int):
        zero = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0))
        super().__init__(inputs, outputs, weight_attr=zero, bias_attr=zero)

    def forward(self, x):
        # While a static graph is traced, as for an export, a tensor has no device yet.
        if not paddle.in_dynamic_mode() or not x.place.is_cpu_place():
            return super().forward(x)
        product = paddle.matmul(x, self.weight)  # F.linear takes 1.1 x as long for a few rows
        return product + (self._broadcast_bias(x) if self.training else self.bias)

    def _broadcast_bias(self, x):
        ones = paddle.ones([*x.shape[:-1], 1], x.dtype)
        return paddle.matmul(ones, self.bias.unsqueeze(0))


class ColumnLinear(Linear):
    """(..., in) -> (..., out / n): a Linear split by outputs over n processes."""

    def __init__(self, inputs: int, outputs: int, parts: Parts):
        super().__init__(inputs, outputs // parts.degree)
        self.parts = parts

    def forward(self, x):
        return super().forward(self.parts.copy_to(x))


class RowLinear(Linear):
    """(..., in / n) -> (..., out): a Linear split by inputs over n processes.

    The bias is added once, after the all_reduce.
    """

    def __init__(self, inputs: int, outputs: int, parts: Parts):
        super().__init__(inputs // parts.degree, outputs)
        self.parts = parts

    def forward(self, x):
        if self.parts.degree == 1:
            return super().forward(x)
        product = self.parts.reduce_from(paddle.matmul(x, self.weight))
        if self.training and x.place.is_cpu_place():
            return product + self._broadcast_bias(product)
        return product + self.bias.astype(product.dtype)
