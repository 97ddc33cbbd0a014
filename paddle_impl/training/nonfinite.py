"""Errors that stop a run before an update; the first tensor that is not finite, and where."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paddle

from paddle_impl.parallel.ranks import Group, Ranks


class NonFiniteError(FloatingPointError):
    """The loss or a gradient is not finite; the message names step, batch and first bad tensor."""


class NoGradientError(FloatingPointError):
    """No trainable parameter has a gradient other than zero; the message says what to look at."""


def write_evidence(
    directory: Path, batches: dict[str, np.ndarray], write: Callable[[Path], object], ranks: Ranks
) -> None:
    """Write the checkpoint of a step and its batches, in place of what a resumed run wrote before.

    write: writes the checkpoint; all processes call it. OSError where the disk is full.
    """
    if ranks.is_main:
        shutil.rmtree(directory, ignore_errors=True)
    write(directory)
    if ranks.is_main:
        np.savez(directory / "batch.npz", **batches)


def first_bad_tensor(model, forward: Callable[[], paddle.Tensor]) -> str | None:
    """Describe the first tensor of a forward and backward pass that is not finite; None if all are.

    forward: computes the loss with the model. The order is: outputs of layers as they are computed,
    the loss, gradients of parameters from the last layer to the first.
    """
    bad: list[str] = []
    with _watched(model, bad):
        loss = forward()
    # Always before returning: with tensor parallelism the backward pass makes collective calls, so
    # every process must run it.
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
    """A sentence with the first process's finding and its rank. Every process calls it.

    own: this process's result of `first_bad_tensor`.
    """
    found = _texts(ranks.world, own or "")
    for rank, text in enumerate(found):
        if text:
            return f"first bad tensor: {text}" + (f", rank {rank}" if len(found) > 1 else "")
    return "every tensor of each micro batch is finite, but their sum is not"


@contextmanager
def _watched(model, bad: list[str]) -> Iterator[None]:
    """In this context, names of layers whose output is not finite are appended to `bad`."""
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
    """The texts of all processes of the group, each cut to `length` bytes."""
    codes = np.zeros(length, np.int32)
    encoded = own.encode()[:length]
    codes[: len(encoded)] = list(encoded)
    return [bytes(t.numpy().astype(np.uint8)).rstrip(b"\0").decode(errors="replace")
            for t in group.gather(paddle.to_tensor(codes))]
