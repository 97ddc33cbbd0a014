"""Pairs of a chosen and a rejected response to one prompt -> batches of 2B rows.

A batch has the rows of the chosen responses, then those of the rejected ones, all padded on the
right to one length. Labels are the tokens of the responses.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from data_tools.instructions.pairs import Pair, Pairs
from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.finetuning.examples import ExamplesLoader


class PairExamples:
    """The pairs of one part of the data by number. sha256: of the ids of all pairs, and of where
    their responses begin.
    """

    def __init__(self, pairs: Pairs):
        self._pairs, self._places = pairs.pairs, pairs.places
        digest = hashlib.sha256()
        for pair in self._pairs:
            sizes = np.array([pair.start, len(pair.chosen), len(pair.rejected)], "<i8")
            for values in (sizes, pair.chosen.astype("<i4"), pair.rejected.astype("<i4")):
                digest.update(values.tobytes())
        self.sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, number: int) -> Pair:
        return self._pairs[number]

    def describe(self, number: int) -> str:
        return self._places[number]

    @property
    def lengths(self) -> np.ndarray:
        """int64 (pairs, 2): the tokens of both texts."""
        return np.array([[len(ids) for ids in pair[:2]] for pair in self._pairs],
                        np.int64).reshape(-1, 2)

    @property
    def inputs(self) -> np.ndarray:
        """int64 (pairs,): the tokens of both texts together."""
        return self.lengths.sum(axis=1)


@dataclass(frozen=True)
class PairLoader(ExamplesLoader):
    """Batches of pairs: input_ids and labels (2B, T) int64, and reference (2B,) float64.

    A process for which no pair is left gets two rows without a label, which count nothing.

    longest: columns of `collate` at most. reference: of each pair the log-probabilities of both
    responses by the reference model, (pairs, 2) float64; without it batches lack them.
    """

    longest: int | None = None
    reference: np.ndarray | None = field(default=None, repr=False, compare=False)

    def everything(self) -> Iterator[tuple[np.ndarray, Batch]]:
        """This process's batches in the order of the pairs, with the pairs' numbers, but without
        the reference."""
        plain = replace(self, reference=None)
        for numbers in self._shared(np.arange(len(self.examples))):
            yield numbers, plain._batch(numbers)

    def _batch(self, numbers: np.ndarray) -> Batch:
        nothing = Pair(*[np.full(1, self.pad_id)] * 2, start=1)
        pairs = [self.examples.read(number) for number in numbers.tolist()] or [nothing]
        rows = collate(pairs, self.pad_id, self.longest)
        ids = np.concatenate([rows["chosen"], rows["rejected"]])
        counted = np.concatenate([rows["chosen_mask"], rows["rejected_mask"]])
        batch = {"input_ids": ids[:, :-1], "labels": np.where(counted, ids, IGNORED)[:, 1:]}
        if self.reference is None:
            return batch
        own = self.reference[numbers] if len(numbers) else np.zeros((1, 2))
        return batch | {"reference": own.T.flatten()}  # (2B,)


def collate(pairs: Sequence[Pair], pad_id: int, longest: int | None = None) -> Batch:
    """chosen and rejected, (B, T) int64, and chosen_mask and rejected_mask, (B, T) bool: true at
    the tokens of the response.

    T is the length of the longest text of both sides and 1, or `longest` where that is less: what
    is beyond is cut off. As custom_collate_fn of rasbt's dpo.py.
    """
    width = 1 + max(len(ids) for pair in pairs for ids in pair[:2])
    found = {}
    for side in ("chosen", "rejected"):
        ids = np.full((len(pairs), width), pad_id, np.int64)
        mask = np.zeros((len(pairs), width), bool)
        for row, pair in enumerate(pairs):
            own = getattr(pair, side)
            ids[row, : len(own)] = own
            mask[row, pair.start : len(own)] = True
        found |= {side: ids[:, :longest], f"{side}_mask": mask[:, :longest]}
    return found
