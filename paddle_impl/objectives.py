"""Losses. An objective tells the weight of a batch, then its loss as a sum over that weight.

Whoever calls divides by the global weight, in `mean` below: with sums and weights, micro batches,
ranks and masks are neutral. Means of means are not.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import paddle
import paddle.nn.functional as F
from paddle.autograd import PyLayer

from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.parallel.tensor import Parts, nan_outside, own_ids

Number = TypeVar("Number", float, paddle.Tensor)
# name -> (sum, count): what is logged under the name is the ratio of both, summed over all ranks.
Metrics = Mapping[str, tuple[float | paddle.Tensor, float | paddle.Tensor]]


class Objective(NamedTuple):
    """What a task minimizes.

    weight: (batch of numpy arrays) -> the number by which this batch's share of the loss counts,
    before the forward pass: counted labels, pairs, examples.
    loss: (model, batch of tensors) -> (loss sum, metrics). The loss is summed over what `weight`
    counts. Its gradient is taken once, of all that the function computed with the model.
    """

    weight: Callable[[Batch], float]
    loss: Callable[[paddle.nn.Layer, dict[str, paddle.Tensor]], tuple[paddle.Tensor, Metrics]]


def mean(total: Number, weight: float) -> Number:
    """A sum, or a share of one, divided by the weight of all micro batches of all ranks.

    Nothing else divides a loss or a metric. Of weight 0 the sum is 0, and stays so.
    """
    return total / (weight or 1.0)


def counted_labels(batch: Batch) -> float:
    """How many labels (B, T) are not -100."""
    return float((batch["labels"] != IGNORED).sum())


def causal_lm(model, batch) -> tuple[paddle.Tensor, Metrics]:
    """Cross entropy of the next token, in nats, summed over the labels that are not -100.

    batch: input_ids (B, T), labels (B, T) already shifted.
    """
    labels = batch["labels"]
    if model.parts.degree > 1:
        logits = model.own_logits(batch["input_ids"])  # (B, T, V / n)
        losses = split_cross_entropy(logits, labels, model.parts, model.config.vocab_size)
        return losses.sum(), {}
    logits = model(batch["input_ids"])  # (B, T, V)
    if logits.element_size() < 4:  # at O2 Paddle would take the logarithm in half precision too
        logits = logits.astype("float32")
    losses = F.cross_entropy(logits, labels, reduction="none", ignore_index=IGNORED)  # (B, T)
    return losses.sum(), {}


CAUSAL_LM = Objective(counted_labels, causal_lm)


def split_cross_entropy(
    logits: paddle.Tensor, labels: paddle.Tensor, parts: Parts, vocab_size: int
) -> paddle.Tensor:
    """-log p of the labels (B, T), from this process's columns (B, T, V / n) of the logits.

    In float32 at least. Label -100 costs nothing; any other outside the vocabulary costs NaN, which
    stops a run: were one process alone to raise, the others would wait for it.
    """
    wide = logits if logits.element_size() >= 4 else logits.astype("float32")
    losses = _SplitCrossEntropy.apply(wide, labels, parts, vocab_size)
    ignored = labels == IGNORED
    known = paddle.where(ignored, paddle.zeros_like(labels), labels)
    losses = losses + nan_outside(known, vocab_size, losses.dtype)
    return paddle.where(ignored, paddle.zeros_like(losses), losses)


class _SplitCrossEntropy(PyLayer):
    """log(sum(exp(x))) - x[label], whose gradient is softmax(x) - onehot(label)."""

    @staticmethod
    def forward(ctx, logits, labels, parts, vocab_size):
        index, own = own_ids(labels, *parts.bounds(vocab_size))
        index, own = index.unsqueeze(-1), own.unsqueeze(-1).astype(logits.dtype)  # (B, T, 1)
        highest = logits.max(axis=-1, keepdim=True)
        parts.group.all_reduce_max_(highest)
        softmax = logits - highest  # (B, T, V / n): the only copy, turned in place
        target = paddle.take_along_axis(softmax, index, axis=-1) * own
        softmax.exp_()
        total = softmax.sum(axis=-1, keepdim=True)
        parts.group.all_reduce_([total, target])
        softmax.divide_(total)
        ctx.save_for_backward(softmax, index, own)
        return (total.log() - target).squeeze(-1)

    @staticmethod
    def backward(ctx, gradient):
        softmax, index, own = ctx.saved_tensor()
        gradient = gradient.unsqueeze(-1)  # (B, T, 1)
        gradients = softmax * gradient
        return gradients.put_along_axis_(index, -gradient * own, -1, "add")
