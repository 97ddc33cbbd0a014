"""Losses: (model, batch) -> (loss sum, weight). Whoever calls divides, by the global weight.

A sum and a weight make micro batches, ranks and masks neutral: means of means are not.
"""

import paddle
import paddle.nn.functional as F


def causal_lm(model, batch) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Cross entropy of the next token, in nats, summed over the unmasked positions.

    batch: input_ids (B, T), labels (B, T) already shifted, loss_mask (B, T) of 0 and 1.
    """
    logits = model(batch["input_ids"])  # (B, T, V)
    # reduction="none": with the default mean, Paddle divides by masked positions too.
    losses = F.cross_entropy(logits, batch["labels"], reduction="none")  # (B, T)
    mask = batch["loss_mask"].astype(losses.dtype)
    return (losses.reshape(mask.shape) * mask).sum(), mask.sum()
