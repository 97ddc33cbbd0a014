"""A loss or gradient that is not finite: where it began, said by every process to all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import paddle

from paddle_impl.parallel.ranks import Group, Ranks


class NonFiniteError(FloatingPointError):
    """A step that must not update; the message names step, batch and first bad tensor."""


def first_bad_tensor(model, forward: Callable[[], paddle.Tensor]) -> str | None:
    """The first tensor of a forward and backward pass, in their order, that is not finite.

    forward: computes the loss from the model. Outputs of layers come in the order in which they
    finish, then the loss, then gradients of parameters, the last layer's first.
    """
    bad: list[str] = []
    with _watched(model, bad):
        loss = forward()
    # Before anything is returned: backwards the processes of a model meet, whatever each has found.
    loss.backward()
    if bad:
        return f"output of {bad[0]}"
    if not _finite(loss):
        return "the loss"
    for name, parameter in reversed(list(model.named_parameters())):
        if parameter.grad is not None and not _finite(parameter.grad):
            return f"gradient of {name}"
    return None


def where(ranks: Ranks, own: str | None) -> str:
    """The finding of the first process that has one, with its rank. Every process calls it."""
    found = _texts(ranks.world, own or "")
    for rank, text in enumerate(found):
        if text:
            return f"first bad tensor: {text}" + (f", rank {rank}" if len(found) > 1 else "")
    return "every tensor of every micro batch is finite alone: their sum is not"


@contextmanager
def _watched(model, bad: list[str]) -> Iterator[None]:
    """Names of layers are added to `bad` as their outputs turn out not to be finite."""
    def hook(name: str):
        def look(layer, inputs, outputs):
            first = outputs[0] if isinstance(outputs, tuple) else outputs
            if not _finite(first):
                bad.append(name)
        return look

    hooks = [layer.register_forward_post_hook(hook(name))
             for name, layer in model.named_sublayers()]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()


def _finite(tensor: paddle.Tensor) -> bool:
    return bool(paddle.isfinite(tensor).all())


def _texts(group: Group, own: str, length: int = 400) -> list[str]:
    """The text of every process of the group."""
    codes = np.zeros(length, np.int32)
    encoded = own.encode()[:length]
    codes[: len(encoded)] = list(encoded)
    return [bytes(t.numpy().astype(np.uint8)).rstrip(b"\0").decode(errors="replace")
            for t in group.gather(paddle.to_tensor(codes))]
