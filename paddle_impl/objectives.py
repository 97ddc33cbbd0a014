"""Losses. An objective gives the weight of a batch, and its loss as a sum over that weight.

The caller divides the sum by the weight of all micro batches and ranks, with `mean` below. So the
split into micro batches and ranks does not change the loss, nor do labels that are ignored. A mean
of the batches' means would depend on the split.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import paddle
import paddle.nn.functional as F
from paddle.autograd import PyLayer

from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.layers import masks
from paddle_impl.parallel.tensor import WHOLE, Parts, nan_outside, own_ids

Number = TypeVar("Number", float, paddle.Tensor)
# name -> (sum, count): what is logged under the name is the ratio of both, summed over all ranks.
Metrics = Mapping[str, tuple[float | paddle.Tensor, float | paddle.Tensor]]


class Objective(NamedTuple):
    """What a task minimizes.

    weight: (batch of numpy arrays) -> how much the batch counts: its number of counted labels,
    pairs or examples. It is called before the forward pass.
    loss: (model, batch of tensors) -> (loss sum, metrics). The loss is summed over what `weight`
    counts. backward() is called once on it, even if the function calls the model several times.
    """

    weight: Callable[[Batch], float]
    loss: Callable[[paddle.nn.Layer, dict[str, paddle.Tensor]], tuple[paddle.Tensor, Metrics]]


def mean(total: Number, weight: float) -> Number:
    """A sum, or one batch's part of it, divided by the weight of all micro batches of all ranks.

    Every loss and metric is divided here. With weight 0 the sum, which is 0, is returned.
    """
    return total / (weight or 1.0)


def counted_labels(batch: Batch) -> float:
    """The number of labels (B, T) that are not -100."""
    return float((batch["labels"] != IGNORED).sum())


def causal_lm(model, batch) -> tuple[paddle.Tensor, Metrics]:
    """Cross entropy of the next token, in nats, summed over the labels that are not -100.

    batch: input_ids (B, T), labels (B, T) already shifted, -100 at padding and at the last token
    of a segment; where rows are padded or packed also attention_mask, position_ids or segments
    (B, T), see GPTModel.
    """
    labels = batch["labels"]
    logits = model.own_logits(batch["input_ids"], **masks.of_batch(batch))  # (B, T, V / n)
    losses = cross_entropy(logits, labels, model.parts, model.config.vocab_size)  # (B, T)
    return losses.sum(), {}


CAUSAL_LM = Objective(counted_labels, causal_lm)


def cross_entropy(
    logits: paddle.Tensor, labels: paddle.Tensor, parts: Parts = WHOLE,
    vocab_size: int | None = None,
) -> paddle.Tensor:
    """-log p of the labels (...), in nats, from logits (..., V / n): logsumexp(x) - x[label].

    It is computed in float32 at least. Label -100 costs 0. NaN or infinite logits cost NaN, which
    stops the run. A label outside the vocabulary is an error of Paddle's in one process; in several
    it costs NaN, because an error in one would leave the others waiting in the all_reduce.

    parts, vocab_size: for logits whose columns are split over processes, V in all.
    """
    wide = logits if logits.element_size() >= 4 else logits.astype("float32")
    if parts.degree == 1:
        losses = F.cross_entropy(wide, labels, reduction="none", ignore_index=IGNORED)
        losses = losses.reshape(labels.shape)
        if not (wide.place.is_cpu_place() and _may_be_wrong(losses, wide)):
            return losses
    return _by_hand(wide, labels, parts, vocab_size or logits.shape[-1])


@paddle.no_grad()
def _may_be_wrong(losses: paddle.Tensor, logits: paddle.Tensor) -> bool:
    """Whether Paddle's CPU kernel cannot be trusted with these logits.

    It counts a logit that lies more than 64 below the largest as 64 below, so that no loss is
    larger than 64 + log V, and it takes NaN for a number. It is used nevertheless because
    _CrossEntropy takes two to three times as long.
    """
    return bool((losses > 60.0).any()) or not bool(paddle.isfinite(logits.sum(axis=-1)).all())


def _by_hand(logits, labels, parts: Parts, vocab_size: int) -> paddle.Tensor:
    losses = _CrossEntropy.apply(logits, labels, parts, vocab_size)
    ignored = labels == IGNORED
    known = paddle.where(ignored, paddle.zeros_like(labels), labels)
    losses = losses + nan_outside(known, vocab_size, losses.dtype)
    return paddle.where(ignored, paddle.zeros_like(losses), losses)


class _CrossEntropy(PyLayer):
    """log(sum(exp(x))) - x[label], whose gradient is softmax(x) - onehot(label)."""

    @staticmethod
    def forward(ctx, logits, labels, parts, vocab_size):
        index, own = own_ids(labels, *parts.bounds(vocab_size))
        index, own = index.unsqueeze(-1), own.unsqueeze(-1)  # (B, T, 1)
        highest = logits.max(axis=-1, keepdim=True)
        parts.group.all_reduce_max_(highest)
        softmax = logits - highest  # (B, T, V / n): the only copy; exp_ below works in place
        target = paddle.take_along_axis(softmax, index, axis=-1)
        target = paddle.where(own, target, paddle.zeros_like(target))
        softmax.exp_()
        total = softmax.sum(axis=-1, keepdim=True)
        parts.group.all_reduce_([total, target])
        softmax.divide_(total)
        ctx.save_for_backward(softmax, index, own.astype(logits.dtype))
        return (total.log() - target).squeeze(-1)

    @staticmethod
    def backward(ctx, gradient):
        softmax, index, own = ctx.saved_tensor()
        gradient = gradient.unsqueeze(-1)  # (B, T, 1)
        gradients = softmax * gradient
        return gradients.put_along_axis_(index, -gradient * own, -1, "add")
