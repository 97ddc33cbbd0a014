"""LayerNorm whose input gets the right gradient while its gain is frozen."""

import paddle
import paddle.nn.functional as F
from paddle import nn


class LayerNorm(nn.LayerNorm):
    """Paddle's, (..., C) -> (..., C).

    Paddle's kernel for CPUs gives the input a wrong gradient, and no error, where the gain needs
    none (seen in 3.3.1). So it is told that a frozen gain needs one, which is thrown away.
    """

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        if x.stop_gradient or not self.weight.stop_gradient:
            return super().forward(x)
        gain = self.weight.detach()
        gain.stop_gradient = False
        return F.layer_norm(x, self._normalized_shape, gain, self.bias, self._epsilon)
