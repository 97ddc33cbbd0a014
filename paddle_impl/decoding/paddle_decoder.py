"""The decode step in plain Paddle, on any device: one new token for each of N rows.

Shapes: N rows, L tokens that a row holds, which may differ from row to row, S tokens that there is
room for, a multiple of a block or all positions; C n_embd, H heads,
D = C / H, V vocabulary. With tensor parallelism H and V are those of this process.
"""

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_impl.decoding.decoder import check_room
from paddle_impl.decoding.layers import CALLED, replaced_layer

_BLOCK = 64  # attention reads whole blocks; a larger one reads more, a smaller one grows more often
_HIDDEN = -1e9


class PaddleDecoder:
    """See decoder.Decoder. A layer has one tensor with the keys of all rows, one with the values.

    A gather makes both anew when rows begin, end or are copied, and when a block is full.

    ValueError for a model in which a layer that this decoder does not call is not GPT-2's own.
    """

    def __init__(self, model, rows: int, positions: int):
        if replaced := replaced_layer(model, CALLED):
            raise ValueError(f"this model cannot be decoded: {replaced}, and only these layers may "
                             f"be replaced: {', '.join(CALLED)}")
        model.eval()
        self.rows, self.positions = rows, min(positions, model.config.n_positions)
        self.vocab_size = model.config.vocab_size
        self._model = model
        self._heads = model.config.n_head // model.parts.degree
        self._size = model.config.n_embd // model.config.n_head
        # A row is either at a place in the tensors, or was filled since the last step.
        self._place: dict[int, int] = {}
        self._filled: dict[int, list[tuple[paddle.Tensor, paddle.Tensor]]] = {}
        self._lengths: dict[int, int] = {}
        self._layers: list[tuple[paddle.Tensor, paddle.Tensor]] = []  # (N, H, S, D) each
        self._count = 0  # rows in the tensors

    @paddle.no_grad()
    def prefill(self, row: int, prompt: Sequence[int]) -> np.ndarray:
        check_room(0, len(prompt), self.positions)
        cache = self._model.new_cache()
        logits = self._model.next_logits(paddle.to_tensor([list(prompt)], dtype="int64"), cache)
        self._filled[row], self._lengths[row] = cache, len(prompt)
        self._place.pop(row, None)
        return to_numpy(logits)[0]

    @paddle.no_grad()
    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        for row in rows:
            check_room(self._lengths[row], 1, self.positions)
        self._arrange(list(rows))
        order = [self._place[row] for row in rows]
        lying = np.argsort(order)
        lengths = np.array([self._lengths[row] for row in rows], np.int64)
        logits = to_numpy(self._forward(np.asarray(tokens, np.int64)[lying], lengths[lying]))
        for row in rows:
            self._lengths[row] += 1
        return logits if order == sorted(order) else logits[order]

    def copy(self, source: int, target: int) -> None:
        self._lengths[target] = self._lengths[source]
        self._filled.pop(target, None)
        self._place.pop(target, None)
        if source in self._filled:
            self._filled[target] = self._filled[source]
        else:
            self._place[target] = self._place[source]

    def _forward(self, tokens: np.ndarray, lengths: np.ndarray) -> paddle.Tensor:
        """tokens (N,), lengths (N,) before them -> logits (N, V)."""
        model, gpt = self._model, self._model.transformer
        count, room = len(tokens), self._layers[0][0].shape[2]
        at = paddle.to_tensor(lengths)
        x = gpt.wte(paddle.to_tensor(tokens)) + gpt.wpe(at)  # (N, C)
        mask = None
        if lengths.min() + 1 < room:
            hidden = np.where(np.arange(room) <= lengths[:, None], 0.0, _HIDDEN)
            mask = paddle.to_tensor(hidden).astype(x.dtype).reshape([count, 1, 1, room])
        slots = paddle.broadcast_to(at.reshape([count, 1, 1, 1]),
                                    [count, self._heads, 1, self._size])
        for block, (keys, values) in zip(gpt.h, self._layers, strict=True):
            qkv = block.attn.c_attn(block.ln_1(x)).reshape([count, 3, self._heads, self._size])
            q, k, v = (part.reshape([count, self._heads, 1, self._size])
                       for part in qkv.split(3, axis=1))
            keys.put_along_axis_(slots, k, axis=2)
            values.put_along_axis_(slots, v, axis=2)
            scores = paddle.matmul(q * block.attn.scale, keys, transpose_y=True)
            weights = F.softmax(scores if mask is None else scores + mask, axis=-1)  # (N, H, 1, S)
            mixed = paddle.matmul(weights, values).reshape([count, -1])  # (N, C)
            x = x + block.attn.c_proj(mixed)
            x = x + block.mlp(block.ln_2(x))
        return model.head(gpt.ln_f(x))

    def _arrange(self, rows: list[int]) -> None:
        """Let the tensors hold these rows and no others, with room for one more token each."""
        longest = max(self._lengths[row] for row in rows) + 1
        room = self._layers[0][0].shape[2] if self._layers else 0
        if not self._filled and longest <= room and self._settled(rows):
            return
        room = max(room, min(self.positions, -(-longest // _BLOCK) * _BLOCK))
        filled = {row: cache for row, cache in self._filled.items() if row in rows}
        self._layers = [
            tuple(self._gathered(layer, part, rows, filled, room) for part in (0, 1))
            for layer in range(self._model.config.n_layer)
        ]
        self._place = {row: at for at, row in enumerate(rows)}
        self._count, self._filled = len(rows), {}

    def _settled(self, rows: list[int]) -> bool:
        """Whether the tensors hold these rows and no others, each once."""
        return sorted(self._place[row] for row in rows) == list(range(self._count))

    def _gathered(self, layer: int, part: int, rows, filled, room: int) -> paddle.Tensor:
        kept = [self._place[row] for row in rows if row not in filled]
        sources = [filled[row][layer][part] for row in rows if row in filled]
        parts = [_widened(source, room) for source in sources]
        if kept:
            old = self._layers[layer][part]
            parts.insert(0, _widened(old.index_select(paddle.to_tensor(kept), axis=0), room))
        joined = paddle.concat(parts, axis=0)
        order = [row for row in rows if row not in filled] + [row for row in rows if row in filled]
        if order == rows:
            return joined
        return joined.index_select(paddle.to_tensor([order.index(row) for row in rows]), axis=0)


def to_numpy(logits: paddle.Tensor) -> np.ndarray:
    # numpy has no bfloat16, and would be given its bits as integers.
    half = logits.dtype in (paddle.bfloat16, paddle.float16)
    return (logits.astype("float32") if half else logits).numpy()


def _widened(part: paddle.Tensor, room: int) -> paddle.Tensor:
    """(n, H, L, D) -> (n, H, room, D), zero beyond L; shorter where the room is less."""
    length = part.shape[2]
    if length >= room:
        return part[:, :, :room] if length > room else part
    count, heads, _, size = part.shape
    return paddle.concat([part, paddle.zeros([count, heads, room - length, size], part.dtype)], 2)
