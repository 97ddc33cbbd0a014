"""Losses: (model, batch) -> (loss sum, weight). Whoever calls divides, by the global weight.

A sum and a weight make micro batches, ranks and masks neutral: means of means are not.
"""

import paddle
import paddle.nn.functional as F
from paddle.autograd import PyLayer

from paddle_impl.parallel.tensor import Parts, nan_outside, own_ids

IGNORED = -100  # a label that costs nothing, as in F.cross_entropy


def causal_lm(model, batch) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Cross entropy of the next token, in nats, summed over the unmasked positions.

    batch: input_ids (B, T), labels (B, T) already shifted, loss_mask (B, T) of 0 and 1.
    """
    if model.parts.degree > 1:
        return _split_causal_lm(model, batch)
    logits = model(batch["input_ids"])  # (B, T, V)
    if logits.element_size() < 4:  # at O2 Paddle would take the logarithm in half precision too
        logits = logits.astype("float32")
    # reduction="none": with the default mean, Paddle divides by masked positions too.
    losses = F.cross_entropy(logits, batch["labels"], reduction="none")  # (B, T)
    mask = batch["loss_mask"].astype(losses.dtype)
    return (losses.reshape(mask.shape) * mask).sum(), mask.sum()


def _split_causal_lm(model, batch) -> tuple[paddle.Tensor, paddle.Tensor]:
    """The same sum in every process of a model group, none of which holds all logits."""
    logits = model.own_logits(batch["input_ids"])  # (B, T, V / n)
    losses = split_cross_entropy(logits, batch["labels"], model.parts, model.config.vocab_size)
    mask = batch["loss_mask"].astype(losses.dtype)
    return (losses * mask).sum(), mask.sum()


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
