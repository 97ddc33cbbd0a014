"""Cross entropy with label smoothing.

    (1 - epsilon) x (-log p of the label) + epsilon x (mean of -log p over the vocabulary)

Source: Szegedy et al. 2016, section 7, in the form of microsoft/LoRA, examples/NLG/src/model.py,
which divides the sum by the number of labels + 1e-4. Here it is divided by their number.
"""

import paddle

from paddle_impl.data.batch import IGNORED
from paddle_impl.layers import masks
from paddle_impl.objectives import CAUSAL_LM, Metrics, Objective, counted_labels, cross_entropy
from paddle_impl.parallel.tensor import WHOLE, Parts, own_ids


def label_smoothed(epsilon: float) -> Objective:
    """The objective; with epsilon 0 that of the plain cross entropy.

    The logged loss is the smoothed one; `cross_entropy` beside it is the plain one.
    """
    if not epsilon:
        return CAUSAL_LM

    def loss(model, batch: dict[str, paddle.Tensor]) -> tuple[paddle.Tensor, Metrics]:
        """batch: as for objectives.causal_lm."""
        labels, size = batch["labels"], model.config.vocab_size
        logits = model.own_logits(batch["input_ids"], **masks.of_batch(batch))  # (B, T, V / n)
        losses = cross_entropy(logits, labels, model.parts, size)  # (B, T)
        above = above_mean(logits, labels, model.parts, size)
        total = (losses + above * paddle.full([], epsilon, above.dtype)).sum()
        return total, {"cross_entropy": (losses.detach().sum(), (labels != IGNORED).sum())}

    return Objective(counted_labels, loss)


def above_mean(
    logits: paddle.Tensor, labels: paddle.Tensor, parts: Parts = WHOLE,
    vocab_size: int | None = None,
) -> paddle.Tensor:
    """How far the label's logit lies above the mean of all logits, (...): what smoothing adds to
    the cross entropy for each unit of epsilon, since log p and logits differ by one number a row.

    Arguments and types are those of objectives.cross_entropy; label -100 gives 0.
    """
    vocab_size = vocab_size or logits.shape[-1]
    wide = logits if logits.element_size() >= 4 else logits.astype("float32")
    highest = wide.detach().max(axis=-1, keepdim=True)
    parts.group.all_reduce_max_(highest)
    near_zero = wide - highest  # a large number that all logits share would cost digits
    index, own = own_ids(labels, *parts.bounds(vocab_size))
    target = paddle.take_along_axis(near_zero, index.unsqueeze(-1), axis=-1).squeeze(-1)
    target = paddle.where(own, target, paddle.zeros_like(target))
    found = parts.reduce_from(target - near_zero.sum(axis=-1) / vocab_size)
    return paddle.where(labels == IGNORED, paddle.zeros_like(found), found)
