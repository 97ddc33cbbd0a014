"""Whether a model's layers are those that a decoder computes by itself.

A decoder that computes a layer by itself reads the layer's weights and never calls it. If the layer
were of another class, such as a Linear with a low-rank adapter, what that class adds would be
missing from the text, and nothing would say so.
"""

from collections.abc import Collection

from paddle import nn

# The layers that PaddleDecoder and an exported graph call. They compute the others by themselves.
CALLED = frozenset({"wte", "wpe", "ln_1", "ln_2", "ln_f", "c_attn", "c_proj", "mlp"})


def replaced_layer(model: nn.Layer, called: Collection[str] = ()) -> str:
    """Name and class of the first layer that is not one of GPT-2's own; empty where all are.

    called: names of layers, without the path to them, that the decoder calls. They, and the layers
    inside them, may be of any class.
    """
    # Imported here: an exported model is decoded without the model's code.
    from paddle_impl import model as gpt
    from paddle_impl.parallel.tensor import HeadDropout, SplitEmbedding

    own = {gpt.GPTForCausalLM, gpt.GPTModel, gpt.Block, gpt.Attention, gpt.MLP, gpt.ColumnLinear,
           gpt.RowLinear, nn.LayerList, nn.Embedding, nn.LayerNorm, nn.Dropout, SplitEmbedding,
           HeadDropout}
    for path, layer in model.named_sublayers(include_self=True):
        if type(layer) not in own and not any(name in called for name in path.split(".")):
            return f"{path or 'the model'} is of the class {type(layer).__name__}"
    return ""
