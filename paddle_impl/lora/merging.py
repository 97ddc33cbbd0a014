"""Adapters put into the weights: a plain model with the same output, and other forms of a matrix.
"""

import numpy as np
import paddle

from paddle_impl.lora import applying
from paddle_impl.lora.layers import Embedding
from paddle_impl.model import GPT


@paddle.no_grad()
def merged(model: GPT) -> GPT:
    """The same model, in place, as one of GPT-2's own layers whose weights hold the adapters.

    Each weight is added to in float64 and rounded once to its type. All parameters can be trained
    again. ValueError for a model without adapters, as one that was merged before.
    """
    found = list(applying.adapters(model))
    if not found:
        raise ValueError("the model has no adapters to merge")
    for name, layer in found:
        base = layer.base_layer
        _set(base.weight, base.weight.astype("float64").numpy() + layer.delta())
        applying.replace_layer(model, name, base)
    if isinstance(wte := model.transformer.wte, Embedding):
        rows = wte.weight
        model.transformer.wte = wte.token_adapter.base_layer
        model.transformer.wte.weight.set_value(rows)
    for parameter in model.parameters():
        parameter.stop_gradient = False
    model.adapter_config = None
    return model


def to_peft(
    a: np.ndarray, b: np.ndarray, enabled: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """loralib's MergedLinear as peft's A (n r, in) and B (out, n r), for n adapted parts of rank r.

    a: (n r, in). b: (n out / parts, r), the parts below each other. peft's alpha is n times
    loralib's, its r too, so the factor is the same.
    """
    parts = sum(enabled)
    rank, height = b.shape[1], b.shape[0] // parts
    whole = np.zeros((height * len(enabled), rank * parts), b.dtype)
    for column, part in enumerate(np.flatnonzero(enabled)):
        whole[part * height : (part + 1) * height, column * rank : (column + 1) * rank] = b[
            column * height : (column + 1) * height]
    return a, whole


def from_peft(
    a: np.ndarray, b: np.ndarray, enabled: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `to_peft`; ValueError where B holds something outside of its blocks."""
    parts = sum(enabled)
    rank, height = b.shape[1] // parts, b.shape[0] // len(enabled)
    own = [b[part * height : (part + 1) * height, column * rank : (column + 1) * rank]
           for column, part in enumerate(np.flatnonzero(enabled))]
    found = np.concatenate(own)
    if not np.array_equal(to_peft(a, found, enabled)[1], b):
        raise ValueError("B mixes the parts of c_attn, which loralib's MergedLinear keeps apart")
    return a, found


def _set(weight: paddle.Tensor, values: np.ndarray) -> None:
    weight.set_value(values.astype(str(weight.dtype).rpartition(".")[2]))
