"""GPT-2 as a static graph that continues a text: it has no branch, and T and S may be any number.

Shapes: N rows, T new tokens, S past tokens, L layers, H heads, D head size, C = H x D, V
vocabulary. The graph calls the model's layers and gives the logits that the model gives in
evaluation. The attention between the projections is its own.
"""

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_impl.decoding.layers import CALLED, replaced_layer
from paddle_impl.model import GPTForCausalLM


class ExportedGraph(nn.Layer):
    """Takes the keys and values of the past as an input, and returns those of the new tokens.

    Positions and mask are inputs, too: computed inside, they would need branches on a tensor's
    size. ValueError for a model in which a layer that the graph does not call is not GPT-2's own.
    """

    def __init__(self, model: GPTForCausalLM):
        super().__init__()
        if replaced := replaced_layer(model, CALLED):
            raise ValueError(f"this model cannot be exported: {replaced}, and only these layers "
                             f"may be replaced: {', '.join(CALLED)}")
        config = model.config
        self.model = model
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
        """See `_logits`."""
        return self._logits(input_ids, positions, mask, past)

    # Paddle would rewrite the source of all that is called here, to find branches on tensors; in
    # what it has rewritten, super() calls a wrong class. As it is the code runs once, and what it
    # computes is the graph.
    @paddle.jit.not_to_static
    def _logits(self, input_ids, positions, mask, past):
        """input_ids (N, T), positions (T,), mask (T, S + T) additive, past (N, S, L, 2, H, D).

        Returns the logits after the last token, (N, V), and the new (N, T, L, 2, H, D). S may be 0.
        """
        gpt = self.model.transformer
        past = past.transpose([2, 3, 0, 4, 1, 5])  # (L, 2, N, H, S, D)
        x = gpt.wte(input_ids) + gpt.wpe(positions)  # (N, T, C)
        new = []
        for layer, block in enumerate(gpt.h):
            attended, keys_values = self._attention(block, x, mask, past[layer])
            new.append(keys_values)
            x = x + attended
            x = x + block.mlp(block.ln_2(x))  # (N, T, C)
        return self.model.head(gpt.ln_f(x[:, -1])), paddle.stack(new, axis=2)

    def _attention(self, block, x, mask, past):
        """past (2, N, H, S, D) -> (N, T, C) and the layer's new keys and values (N, T, 2, H, D)."""
        qkv = block.attn.c_attn(block.ln_1(x))
        qkv = qkv.reshape([0, 0, 3, self.heads, self.head_size])  # 0 leaves a size as it is
        q, k, v = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)  # (N, H, T, D)
        k = paddle.concat([past[0], k], axis=2)  # (N, H, S + T, D)
        v = paddle.concat([past[1], v], axis=2)
        scores = paddle.matmul(q * block.attn.scale, k, transpose_y=True)
        mixed = paddle.matmul(F.softmax(scores + mask, axis=-1), v).transpose([0, 2, 1, 3])
        mixed = mixed.reshape([0, 0, self.heads * self.head_size])  # (N, T, C)
        return block.attn.c_proj(mixed), qkv[:, :, 1:]
