"""The loss of instruction tuning, and beside it that of the responses alone."""

import paddle

from paddle_impl.layers import masks
from paddle_impl.objectives import Metrics, Objective, counted_labels, cross_entropy


def _loss(model, batch: dict[str, paddle.Tensor]) -> tuple[paddle.Tensor, Metrics]:
    """Cross entropy in nats, summed over the labels that are not -100.

    batch: as for objectives.causal_lm, and responses (B, T): 1 for labels of a response, else 0.
    The metric response_loss is the mean over these, whether or not other labels are learned too.
    """
    logits = model.own_logits(batch["input_ids"], **masks.of_batch(batch))  # (B, T, V / n)
    losses = cross_entropy(logits, batch["labels"], model.parts, model.config.vocab_size)  # (B, T)
    told = batch["responses"].astype(losses.dtype)
    return losses.sum(), {"response_loss": ((losses.detach() * told).sum(), told.sum())}


WITH_RESPONSE_LOSS = Objective(counted_labels, _loss)
