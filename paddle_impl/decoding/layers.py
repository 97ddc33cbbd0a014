"""Whether a model's layers are those that a decoder computes by itself.

A decoder that computes a layer by itself reads the layer's weights and never calls it. If the layer
were of another class, such as a Linear with a low-rank adapter, what that class adds would be
missing from the text, and nothing would say so.
"""

from collections.abc import Collection

from paddle import nn

# The layers that PaddleDecoder and an exported graph call. They compute the others by themselves.
CALLED = ("wte", "wpe", "ln_1", "ln_2", "ln_f", "c_attn", "c_proj", "mlp")


def replaced_layer(model: nn.Layer, called: Collection[str] = ()) -> str:
    """Name and class of the first of GPT-2's layers that is of another class; empty without one.

    called: names of layers, without the path to them, that the decoder calls. They, and the layers
    inside them, may be of any class. Layers that GPT-2 does not have are not looked at: no layer of
    GPT-2's own classes calls them.
    """
    expected = _classes()
    for path, layer in model.named_sublayers(include_self=True):
        names = ["block" if name.isdecimal() else name for name in path.split(".")]
        known = all(name in expected and name not in called for name in names)
        if known and type(layer) not in expected[names[-1]]:
            return f"{path or 'the model'} is of the class {type(layer).__name__}"
    return ""


def _classes() -> dict[str, tuple[type, ...]]:
    """The classes that model.py uses for each layer, by the last part of the layer's name."""
    # Imported here: an exported model is decoded without the model's code.
    from paddle_impl import model as gpt
    from paddle_impl.layers.layer_norm import LayerNorm
    from paddle_impl.layers.linear import ColumnLinear, RowLinear
    from paddle_impl.parallel.tensor import HeadDropout, SplitEmbedding

    return {
        "": (gpt.GPTForCausalLM,), "transformer": (gpt.GPTModel,), "h": (nn.LayerList,),
        "block": (gpt.Block,), "attn": (gpt.Attention,), "mlp": (gpt.MLP,),
        "wte": (nn.Embedding, SplitEmbedding), "wpe": (nn.Embedding,), "drop": (nn.Dropout,),
        "ln_1": (LayerNorm,), "ln_2": (LayerNorm,), "ln_f": (LayerNorm,),
        "c_attn": (ColumnLinear,), "c_fc": (ColumnLinear,), "c_proj": (RowLinear,),
        "attn_dropout": (nn.Dropout, HeadDropout), "resid_dropout": (nn.Dropout,),
        "dropout": (nn.Dropout,),
    }
