"""GPT-2 for one fed piece of text as a static graph: no branch, no size that Python must know.

Shapes: N rows, T new tokens, S past tokens, L layers, H heads, D head size, C = H x D, V
vocabulary. The weights are the model's own; the numbers are those of model.py in evaluation.
"""

import math

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_impl.model import GPTForCausalLM, Linear


class ExportedGraph(nn.Layer):
    """The keys and values of the past come in, those of the new tokens go out.

    Positions and mask are inputs: computed inside, they would need branches on a tensor's size.
    """

    def __init__(self, model: GPTForCausalLM):
        super().__init__()
        config = model.config
        self.transformer = model.transformer
        self.heads, self.head_size = config.n_head, config.n_embd // config.n_head
        self.inputs = [
            paddle.static.InputSpec([None, None], "int64", "input_ids"),
            paddle.static.InputSpec([None], "int64", "positions"),
            paddle.static.InputSpec([None, None], "float32", "mask"),
            paddle.static.InputSpec(
                [None, None, config.n_layer, 2, self.heads, self.head_size], "float32", "past"
            ),
        ]

    def forward(self, input_ids, positions, mask, past):
        """input_ids (N, T), positions (T,), mask (T, S + T) additive, past (N, S, L, 2, H, D).

        Returns the logits after the last token, (N, V), and the new (N, T, L, 2, H, D). S may be 0.
        """
        gpt = self.transformer
        past = past.transpose([2, 3, 0, 4, 1, 5])  # (L, 2, N, H, S, D)
        x = gpt.wte(input_ids) + gpt.wpe(positions)  # (N, T, C)
        new = []
        for layer, block in enumerate(gpt.h):
            attended, keys_values = self._attention(block, x, mask, past[layer])
            new.append(keys_values)
            x = x + attended
            inner = F.gelu(_linear(block.mlp.c_fc, block.ln_2(x)), approximate=True)
            x = x + _linear(block.mlp.c_proj, inner)  # (N, T, C)
        logits = paddle.matmul(gpt.ln_f(x[:, -1]), gpt.wte.weight, transpose_y=True)  # (N, V)
        return logits, paddle.stack(new, axis=2)

    def _attention(self, block, x, mask, past):
        """past (2, N, H, S, D) -> (N, T, C) and the layer's new keys and values (N, T, 2, H, D)."""
        qkv = _linear(block.attn.c_attn, block.ln_1(x))
        qkv = qkv.reshape([0, 0, 3, self.heads, self.head_size])  # 0: as it is, whatever it is
        q, k, v = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)  # (N, H, T, D)
        k = paddle.concat([past[0], k], axis=2)  # (N, H, S + T, D)
        v = paddle.concat([past[1], v], axis=2)
        scores = paddle.matmul(q * (1.0 / math.sqrt(self.head_size)), k, transpose_y=True)
        mixed = paddle.matmul(F.softmax(scores + mask, axis=-1), v).transpose([0, 2, 1, 3])
        mixed = mixed.reshape([0, 0, self.heads * self.head_size])  # (N, T, C)
        return _linear(block.attn.c_proj, mixed), qkv[:, :, 1:]


def _linear(layer: Linear, x):
    # Not the layer itself, which asks a tensor where it lies: while traced it lies nowhere.
    return F.linear(x, layer.weight, layer.bias)
