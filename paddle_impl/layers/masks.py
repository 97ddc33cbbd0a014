"""Which tokens a token sees in rows that are padded or packed, and at which position it stands.

Shapes: B batch, T tokens of a row.
"""

from collections.abc import Mapping

import paddle

ROWS = ("attention_mask", "position_ids", "segments")  # what a batch may tell of its rows


def of_batch(batch: Mapping[str, paddle.Tensor]) -> dict[str, paddle.Tensor]:
    """What the batch tells of its rows, as arguments of the model; empty for whole rows."""
    return {name: batch[name] for name in ROWS if name in batch}


def check(shape: list[int], positions: int, **rows: paddle.Tensor | None) -> None:
    """ValueError unless each of `rows`, those of ROWS or None, goes with input_ids of this shape.

    positions: how many the model has; Paddle would read memory outside of the table for others.
    """
    for name, values in rows.items():
        if values is not None and list(values.shape) != list(shape):
            raise ValueError(f"{name} has the shape {list(values.shape)}, input_ids {list(shape)}: "
                             "they need one value for each token")
    mask, ids = rows.get("attention_mask"), rows.get("position_ids")
    if mask is not None:
        mask = mask.astype("float32")
        if not bool(((mask == 0.0) | (mask == 1.0)).all()):
            raise ValueError("attention_mask must be 1 for tokens and 0 for padding, and holds "
                             "other values")
    if ids is not None and not bool(((ids >= 0) & (ids < positions)).all()):
        raise ValueError(f"position_ids must be 0 to {positions - 1}, the model's positions, and "
                         f"reach from {int(ids.min())} to {int(ids.max())}")


def visible(
    attention_mask: paddle.Tensor | None, segments: paddle.Tensor | None
) -> paddle.Tensor:
    """(B, T, T) bool: whether the token of a query (second axis) sees that of a key (third).

    It sees the tokens up to itself that have its segment and are not padding. Padding sees itself
    too: a query without any key would be NaN where the mask is -inf. attention_mask (B, T): 1 for a
    token, 0 for padding. segments (B, T): any integers; at least one of both is not None.
    """
    known = segments if attention_mask is None else attention_mask
    batch, length = known.shape
    seen = paddle.ones([batch, length, length], "bool").tril()
    if segments is not None:
        seen = seen & (segments.unsqueeze(2) == segments.unsqueeze(1))
    if attention_mask is not None:
        seen = seen & attention_mask.astype("bool").unsqueeze(1)
    return seen | paddle.eye(length, dtype="int32").astype("bool")


def positions(seen: paddle.Tensor) -> paddle.Tensor:
    """(B, T) int64: how many earlier tokens each token sees, from `visible`.

    So positions begin at 0 in each segment and do not count padding, as in transformers'
    generate.
    """
    return seen.astype("int64").sum(axis=-1) - 1


def additive(seen: paddle.Tensor, dtype) -> paddle.Tensor:
    """(B, 1, T, T) for attention's scores: 0 where a key is seen, -1e9 elsewhere.

    In float16 that is -inf, as in causal_mask; full_like would refuse the number there.
    """
    zero = paddle.zeros(seen.shape, "float32")
    added = paddle.where(seen, zero, paddle.full_like(zero, -1e9))
    return added.unsqueeze(1).astype(dtype)
