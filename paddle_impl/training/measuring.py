"""Losses and metrics over several batches and ranks: sums, which are divided once at the end."""

from collections.abc import Iterable

import numpy as np
import paddle

from paddle_impl.data.batch import Batch
from paddle_impl.objectives import Metrics, Objective, mean
from paddle_impl.parallel.ranks import Group, Ranks


class Totals:
    """Sums and counts of metrics over batches."""

    def __init__(self):
        self._sums: dict[str, list[float]] = {}

    def add(self, metrics: Metrics) -> None:
        """metrics: name -> (sum, count), the same names from every batch."""
        for name, pair in metrics.items():
            held = self._sums.setdefault(name, [0.0, 0.0])
            for place, value in enumerate(pair):
                held[place] += float(value)

    def means(self, group: Group) -> dict[str, float]:
        """name -> sum / count over the batches of all processes of the group, which all call this.

        A name whose count is 0 is left out.
        """
        flat = group.total(*(value for pair in self._sums.values() for value in pair))
        pairs = zip(self._sums, flat[::2], flat[1::2], strict=True)
        return {name: mean(total, count) for name, total, count in pairs if count}


@paddle.no_grad()
def measure(
    model, objective: Objective, batches: Iterable[Batch], ranks: Ranks
) -> dict[str, float]:
    """Mean "loss" and metrics of the objective over the batches of all processes, without dropout.

    Empty if nothing is counted. Every process of ranks.data calls it, with equally many batches.
    Afterwards the model is in training mode.
    """
    model.eval()
    totals = Totals()
    for batch in batches:
        loss_sum, metrics = objective.loss(model, to_tensors(batch))
        totals.add({"loss": (loss_sum, objective.weight(batch)), **metrics})
    model.train()
    return totals.means(ranks.data)


def to_tensors(batch: Batch) -> dict[str, paddle.Tensor]:
    return {name: paddle.to_tensor(array) for name, array in batch.items()}


def gathered(micro_batches: list[Batch], ranks: Ranks) -> dict[str, np.ndarray]:
    """The micro batches of all data parallel processes: (processes, micro batches, ...)."""
    stacked = {name: np.stack([batch[name] for batch in micro_batches])
               for name in micro_batches[0]}
    return {name: np.stack([part.numpy() for part in ranks.data.gather(paddle.to_tensor(array))])
            for name, array in stacked.items()}
