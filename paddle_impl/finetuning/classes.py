"""Texts with classes -> batches, padded on the right."""

from dataclasses import dataclass

import numpy as np

from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.finetuning.examples import ExamplesLoader


@dataclass(frozen=True)
class ClassLoader(ExamplesLoader):
    """Batches of input_ids (B, T) int64 and classes (B,), in the order of SupervisedLoader.

    Rows are as long as the longest of their batch, and an attention_mask (B, T) says what is
    padding. width: rows have this length instead, and no mask, so that padding is seen. A process
    for which no text is left gets a row whose class is -100, which counts nothing.
    """

    width: int | None = None

    def _batch(self, numbers: np.ndarray) -> Batch:
        read = [self.examples.read(number) for number in numbers.tolist()]
        width = self.width or max((len(ids) for ids, _ in read), default=1)
        shape = max(1, len(read)), width
        inputs, mask = np.full(shape, self.pad_id, np.int64), np.zeros(shape, np.int64)
        classes = np.full(shape[0], IGNORED, np.int64)
        for row, (ids, own) in enumerate(read):
            inputs[row, : len(ids)], mask[row, : len(ids)], classes[row] = ids, 1, own
        told = {} if self.width else {"attention_mask": mask}
        return {"input_ids": inputs, **told, "classes": classes}
