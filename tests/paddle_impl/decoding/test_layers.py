"""A decoder calls a layer that is not GPT-2's own, or refuses it by name; it never skips it."""

import paddle
import pytest
from paddle import nn

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.decoding.layers import CALLED, replaced_layer
from paddle_impl.decoding.native_decoder import NativeDecoder, refusal
from paddle_impl.decoding.paddle_decoder import PaddleDecoder
from paddle_impl.generate import generate
from paddle_impl.layers.linear import ColumnLinear
from paddle_impl.model import Attention
from tests.paddle_impl.low_rank import LowRank, recomputed_greedy, substitute


class Same(ColumnLinear):
    """Has the names of a ColumnLinear's parameters, and another output."""

    def __init__(self, own: ColumnLinear):
        super().__init__(own.weight.shape[0], own.weight.shape[1], own.parts)
        self.weight, self.bias = own.weight, own.bias

    def forward(self, x):
        return 2.0 * super().forward(x)


class Swapped(Attention):
    """Has the parameters of an Attention, and another output."""

    def forward(self, x, mask, past):
        attended, present = super().forward(x, mask, past)
        return -attended, present


def sharpened(model):
    with paddle.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.set_value(parameter * 20.0)
    return model


def test_a_model_as_it_is(tiny_model):
    assert replaced_layer(tiny_model) == replaced_layer(tiny_model, CALLED) == ""


@pytest.mark.parametrize("name", ["c_attn", "c_proj"])
def test_a_replaced_linear_is_named_unless_it_is_called(tiny_model, name):
    substitute(tiny_model.transformer.h[1].attn, name, LowRank)
    assert replaced_layer(tiny_model) == f"transformer.h.1.attn.{name} is of the class LowRank"
    assert replaced_layer(tiny_model, CALLED) == ""


def test_layers_that_gpt2_does_not_have_are_not_looked_at(tiny_model):
    tiny_model.score = nn.Linear(16, 3)
    assert replaced_layer(tiny_model) == ""


@pytest.mark.parametrize("kind", [LowRank, Same])
def test_the_native_decoder_refuses_a_replaced_linear(tiny_model, kind):
    substitute(tiny_model.transformer.h[0].attn, "c_attn", kind)
    reason = f"transformer.h.0.attn.c_attn is of the class {kind.__name__}"
    assert refusal(tiny_model).startswith(reason)
    with pytest.raises(ValueError, match=reason):
        NativeDecoder(tiny_model, 1, 8)
    assert isinstance(make_decoder(tiny_model, 1, 8, "auto"), PaddleDecoder)


@pytest.mark.parametrize(("place", "name", "kind"), [
    ("attn", "c_attn", LowRank), ("attn", "c_proj", LowRank), ("mlp", "c_fc", LowRank),
    ("mlp", "c_proj", LowRank), ("attn", "c_attn", Same), ("mlp", "c_fc", Same),
])
def test_the_paddle_decoder_gives_the_tokens_of_the_whole_model(tiny_model, place, name, kind):
    model = sharpened(tiny_model)
    prompt = [3, 1, 4]
    before = recomputed_greedy(model, prompt, 12)
    substitute(getattr(model.transformer.h[0], place), name, kind)
    ((found,),) = generate(model, [prompt], Decoding(12))
    assert found.token_ids == recomputed_greedy(model, prompt, 12) != before


def test_the_paddle_decoder_refuses_what_it_does_not_call(tiny_model):
    tiny_model.transformer.h[1].attn.__class__ = Swapped
    with pytest.raises(ValueError, match=r"transformer\.h\.1\.attn is of the class Swapped"):
        PaddleDecoder(tiny_model, 1, 8)
    with pytest.raises(ValueError, match="cannot be decoded"):
        generate(tiny_model, [[1]], Decoding(1))
