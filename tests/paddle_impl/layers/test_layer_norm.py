"""A frozen gain changes no gradient of the input, and no bit of the output."""

import numpy as np
import paddle
import pytest

from paddle_impl.layers.layer_norm import LayerNorm


@pytest.mark.parametrize("frozen", [("weight",), ("bias",), ("weight", "bias")])
def test_the_input_gets_its_gradient(frozen):
    stream = np.random.default_rng(0)
    x, pull = (stream.normal(size=(5, 8)).astype("float32") for _ in range(2))
    gain = stream.normal(1.0, 0.5, 8).astype("float32")

    def outcome(names):
        layer = LayerNorm(8)
        layer.weight.set_value(gain)
        for name in names:
            getattr(layer, name).stop_gradient = True
        given = paddle.to_tensor(x, stop_gradient=False)
        out = layer(given)
        (out * paddle.to_tensor(pull)).sum().backward()
        assert all(getattr(layer, name).grad is None for name in names)
        return out.numpy(), given.grad.numpy()

    for got, expected in zip(outcome(frozen), outcome(()), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_nothing_is_differentiated_where_nothing_is_trained():
    layer = LayerNorm(8)
    layer.weight.stop_gradient = layer.bias.stop_gradient = True
    assert layer(paddle.ones([2, 8])).stop_gradient
