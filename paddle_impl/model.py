"""GPT-2 in execution order, with Hugging Face's parameter names.

Shapes: B batch, T new tokens, S past + new tokens, C n_embd, H heads, D = C / H, V vocabulary.
Paddle's Linear stores [in, out], as HF GPT-2's Conv1D does: weights convert by name alone.
With tensor parallelism (`parts`) H and V count the heads and tokens of this process only.
Source: Radford et al. 2019. parity/ compares the numbers with transformers.GPT2LMHeadModel.
"""

import math
import zlib

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.distributed.fleet.utils import recompute as recompute_block

from paddle_impl.config.model import LANGUAGE_MODEL, ModelConfig
from paddle_impl.layers import masks
from paddle_impl.layers.layer_norm import LayerNorm
from paddle_impl.layers.linear import ColumnLinear, RowLinear
from paddle_impl.parallel.tensor import WHOLE, Parts

# One (key, value) pair a layer, each (B, H, S, D); None before the first token.
Cache = list[tuple[paddle.Tensor, paddle.Tensor] | None]


class GPT(nn.Layer):
    """The transformer without a head; each subclass adds one.

    architecture: the class of transformers that opens the same weights. parts: this process's share
    of the tensors; ValueError if the model cannot be split so. recompute: in training, keep one
    (B, T, C) tensor of each block and recompute the others in the backward pass.
    """

    architecture: str

    def __init__(self, config: ModelConfig, parts: Parts = WHOLE):
        super().__init__()
        parts.check(config)
        self.config = config
        self.parts = parts
        self.recompute = False
        self.transformer = GPTModel(config, parts)

    def whole_shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter name -> shape of the entire parameter, as a single process would hold it."""
        rows = self.config.vocab_size
        return {name: self.parts.whole_shape(name, parameter.shape, rows)
                for name, parameter in self.named_parameters()}


class GPTForCausalLM(GPT):
    """input_ids (B, T) int64 -> logits (B, T, V). The head is the token embedding, transposed."""

    architecture = LANGUAGE_MODEL

    def forward(
        self, input_ids: paddle.Tensor, cache: Cache | None = None, **rows: paddle.Tensor | None
    ) -> paddle.Tensor:
        """Logits of the whole vocabulary, in every process.

        cache: see `new_cache`; the tokens follow those in it, and it is extended in place.
        rows: attention_mask, position_ids and segments of padded or packed rows, see GPTModel.
        """
        own = self.own_logits(input_ids, cache, **rows)
        return self.parts.gather_from(own, self.config.vocab_size)

    def own_logits(
        self, input_ids: paddle.Tensor, cache: Cache | None = None, **rows: paddle.Tensor | None
    ) -> paddle.Tensor:
        """The columns of the logits for the tokens of this process, (B, T, V / n)."""
        recompute = self.recompute and self.training and cache is None
        return self._own_head(self.transformer(input_ids, cache, recompute, **rows))  # (B, T, V)

    def next_logits(self, input_ids: paddle.Tensor, cache: Cache) -> paddle.Tensor:
        """Logits (B, V) at the last position; at all of a long prompt's the head would be slow."""
        return self.head(self.transformer(input_ids, cache)[:, -1])

    def head(self, hidden: paddle.Tensor) -> paddle.Tensor:
        """Output of the last LayerNorm (..., C) -> logits of the whole vocabulary (..., V)."""
        return self.parts.gather_from(self._own_head(hidden), self.config.vocab_size)

    def _own_head(self, hidden):
        hidden = self.parts.copy_to(hidden)
        return paddle.matmul(hidden, self.transformer.wte.weight, transpose_y=True)

    def new_cache(self) -> Cache:
        return [None] * self.config.n_layer


class GPTModel(nn.Layer):
    def __init__(self, config: ModelConfig, parts: Parts = WHOLE):
        super().__init__()
        self.config = config
        self.wte = _embedding(config.vocab_size, config.n_embd, parts)
        self.wpe = _embedding(config.n_positions, config.n_embd)
        self.drop = nn.Dropout(config.embd_pdrop)
        self.h = nn.LayerList([Block(config, parts, n) for n in range(config.n_layer)])
        self.ln_f = LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon)

    def forward(
        self, input_ids: paddle.Tensor, cache: Cache | None = None, recompute: bool = False, *,
        attention_mask: paddle.Tensor | None = None, position_ids: paddle.Tensor | None = None,
        segments: paddle.Tensor | None = None,
    ) -> paddle.Tensor:
        """input_ids (B, T) -> (B, T, C). recompute: recompute the blocks in the backward pass; not
        with a cache. ValueError for more tokens than the model has positions.

        The others are (B, T) integers, for whole passes without a cache. None is the fast path.
        attention_mask: 1 for a token, 0 for padding, on any side. segments: a token sees only those
        of its own number. position_ids: by default they begin at 0 in each segment and leave
        padding out. What comes out at padding means nothing, but is finite. ValueError for another
        shape, other values, or a cache: `generate` takes prompts of several lengths without pads.
        """
        new = input_ids.shape[1]
        past = 0 if cache is None or cache[0] is None else cache[0][0].shape[2]
        if past + new > self.config.n_positions:
            raise ValueError(
                f"{past + new} tokens exceed the model's {self.config.n_positions} positions"
            )
        rows = (attention_mask, position_ids, segments)
        seen = None
        if any(one is not None for one in rows):
            if cache is not None:
                raise ValueError(f"{', '.join(masks.ROWS)} do not go with a cache: leave them out")
            masks.check(input_ids.shape, self.config.n_positions,
                        **dict(zip(masks.ROWS, rows, strict=True)))
        positions = paddle.arange(past, past + new, dtype="int64")  # (T,)
        if attention_mask is not None or segments is not None:
            seen = masks.visible(attention_mask, segments)  # (B, T, T)
            positions = masks.positions(seen)  # (B, T)
        if position_ids is not None:
            positions = position_ids
        x = self.drop(self.wte(input_ids) + self.wpe(positions))  # (B, T, C)
        mask = causal_mask(new, past + new, x.dtype)
        if attention_mask is not None:  # softmax leaves 1e-28 of a hidden key, this no gradient
            x = x * attention_mask.astype(x.dtype).unsqueeze(-1)
        if seen is not None:
            mask = masks.additive(seen, x.dtype)  # (B, 1, T, T)
        for layer, block in enumerate(self.h):
            if recompute and not (x.stop_gradient and _frozen(block)):
                x.stop_gradient = False  # else Paddle's recompute would give gradients of 0
                x = recompute_block(block.without_past, x, mask)
                continue
            x, present = block(x, mask, None if cache is None else cache[layer])
            if cache is not None:
                cache[layer] = present
        return self.ln_f(x)  # (B, T, C)


class Block(nn.Layer):
    def __init__(self, config: ModelConfig, parts: Parts, number: int):
        super().__init__()
        self.ln_1 = LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon)
        self.attn = Attention(config, parts, number)
        self.ln_2 = LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon)
        self.mlp = MLP(config, parts)

    def forward(self, x, mask, past):
        attended, present = self.attn(self.ln_1(x), mask, past)
        x = x + attended
        return x + self.mlp(self.ln_2(x)), present

    def without_past(self, x, mask):
        return self(x, mask, None)[0]


class Attention(nn.Layer):
    def __init__(self, config: ModelConfig, parts: Parts, number: int):
        super().__init__()
        self.heads = config.n_head // parts.degree
        self.head_size = config.n_embd // config.n_head
        self.scale = config.attention_scale(number)
        self.c_attn = ColumnLinear(config.n_embd, 3 * config.n_embd, parts)
        self.attn_dropout = parts.head_dropout(nn.Dropout(config.attn_pdrop))
        self.c_proj = RowLinear(config.n_embd, config.n_embd, parts)
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x, mask, past):
        # split instead of indices: the gradient of an index is a full-size array of zeros.
        q, k, v = self.c_attn(x).split(3, axis=-1)
        # Scale q, not the scores: T x D products a head instead of T x S.
        q = self._heads_first(q * self.scale)  # (B, H, T, D)
        k, v = self._heads_first(k), self._heads_first(v)
        if past is not None:
            k = paddle.concat([past[0], k], axis=2)  # (B, H, S, D)
            v = paddle.concat([past[1], v], axis=2)
        scores = paddle.matmul(q, k, transpose_y=True)
        if mask is not None:
            scores = scores + mask  # (B, H, T, S)
        weights = self.attn_dropout(F.softmax(scores, axis=-1))
        mixed = paddle.matmul(weights, v).transpose([0, 2, 1, 3])  # (B, T, H, D)
        return self.resid_dropout(self.c_proj(mixed.reshape([*x.shape[:2], -1]))), (k, v)

    def _heads_first(self, part):
        batch, new, _ = part.shape
        return part.reshape([batch, new, self.heads, self.head_size]).transpose([0, 2, 1, 3])


class MLP(nn.Layer):
    def __init__(self, config: ModelConfig, parts: Parts = WHOLE):
        super().__init__()
        self.c_fc = ColumnLinear(config.n_embd, config.inner, parts)
        self.c_proj = RowLinear(config.inner, config.n_embd, parts)
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x):
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate=True)))


def causal_mask(new: int, total: int, dtype) -> paddle.Tensor | None:
    """Additive mask (new, total): query i is at position total - new + i and sees no later key.

    None for one new token, which sees all keys. Masked entries are -1e9 and not -inf: softmax turns
    both into 0 in float32 and float64, but -inf can make a row NaN.
    """
    if new == 1:
        return None
    return paddle.triu(paddle.full([new, total], -1e9, dtype), diagonal=total - new + 1)


def _frozen(block: Block) -> bool:
    """Whether training changes none of the block's parameters."""
    return all(parameter.stop_gradient for parameter in block.parameters())


def initialize(model: GPT, seed: int) -> None:
    """Weights N(0, initializer_range), residual projections divided by sqrt(2 n_layer), biases 0.

    As transformers' GPT2PreTrainedModel._init_weights. Each tensor has its own numpy stream, keyed
    by seed and name, so that neither the device nor the order of creation changes a weight. For a
    split tensor each process draws all numbers and keeps its share, so that the tensor parallel
    degree changes no weight either.
    """
    config, shapes = model.config, model.whole_shapes()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or ".ln_" in name:
            continue  # Paddle's defaults: biases 0, LayerNorm gains 1
        std = config.initializer_range
        if name.endswith("c_proj.weight"):
            std /= math.sqrt(2 * config.n_layer)
        stream = np.random.default_rng([seed, zlib.crc32(name.encode())])
        values = stream.standard_normal(shapes[name], dtype=np.float32) * np.float32(std)
        own = model.parts.own(name, values)
        parameter.set_value(own.astype(str(parameter.dtype).rpartition(".")[2]))


def _embedding(rows: int, width: int, parts: Parts = WHOLE) -> nn.Embedding:
    zero = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0))
    return parts.embedding(rows, width, weight_attr=zero)
