"""Cross entropy of classes.

Shapes: B rows of a batch, L labels.
"""

import numpy as np
import paddle

from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.evaluation.confusion import Confusion
from paddle_impl.layers import masks
from paddle_impl.objectives import Metrics, Objective, cross_entropy


def balancing_weights(classes: np.ndarray, labels: int) -> np.ndarray:
    """(L,) float64: texts / (labels that occur x texts of the label); 0 for one without texts.

    As class_weight="balanced" of scikit-learn.
    """
    counts = np.bincount(classes, minlength=labels)
    with np.errstate(divide="ignore"):
        weights = len(classes) / (np.count_nonzero(counts) * counts)
    return np.where(counts, weights, 0.0)


def classification(weights: np.ndarray | None = None, seen: Confusion | None = None) -> Objective:
    """The objective: the mean over the texts, in which each counts by the weight of its class.

    weights: (L,), None for equal ones. seen: gets the predictions of every batch. `accuracy`, which
    is logged beside the loss, is without weights.
    """

    def weight(batch: Batch) -> float:
        known = batch["classes"][batch["classes"] != IGNORED]
        return float(len(known) if weights is None else weights[known].sum())

    def loss(model, batch: dict[str, paddle.Tensor]) -> tuple[paddle.Tensor, Metrics]:
        """batch: input_ids (B, T), classes (B,), -100 for a row that does not count; where rows
        are padded also attention_mask (B, T).
        """
        classes = batch["classes"]
        logits = model(batch["input_ids"], **masks.of_batch(batch))  # (B, L)
        losses = cross_entropy(logits, classes)  # (B,)
        if weights is not None:
            each = paddle.to_tensor(weights.astype(str(losses.dtype).rpartition(".")[2]))
            losses = losses * paddle.gather(each, classes.clip(min=0))
        predicted = logits.detach().argmax(axis=-1)
        if seen is not None:
            seen.add(classes.numpy(), predicted.numpy())
        right = (predicted == classes).astype("float32").sum()
        return losses.sum(), {"accuracy": (right, (classes != IGNORED).sum())}

    return Objective(weight, loss)
