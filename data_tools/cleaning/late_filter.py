"""Filters that need the ids: documents without any, or with too few characters for them."""

from __future__ import annotations

import numpy as np

from data_tools.cleaning.filters import MinCharactersPerToken
from data_tools.preparing.batches import Batch, without
from data_tools.reading.corpus import CorpusReport

NO_TOKENS = "no tokens"


class LateFilter:
    """Drops encoded documents; `report` holds what was dropped, in documents and bytes."""

    def __init__(self, least: float | None, report: CorpusReport):
        self._filter = None if least is None else MinCharactersPerToken(least)
        self.report = report

    def __call__(
        self, batch: Batch, ids: np.ndarray, offsets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The documents that stay; the others are named in batch.skipped."""
        tokens = np.diff(offsets)
        keep = tokens > 0  # a Chinese vocabulary may know no character of a text
        if self._filter is not None:
            characters = np.array([len(text) for text in batch.texts], dtype=np.int64)
            keep &= self._filter.keep(characters, tokens)
        if keep.all():
            return ids, offsets
        for i in np.flatnonzero(~keep).tolist():
            self.report.skip(self._filter.reason if tokens[i] else NO_TOKENS, batch.names[i])
            self.report.documents += 1
            self.report.utf8_bytes += len(batch.texts[i].encode("utf-8"))
        batch.skipped += self.report.drain()
        return without(ids, offsets, keep)

    def applied_to(self, read: CorpusReport) -> CorpusReport:
        """The counts of the whole run: of what was read, less the documents dropped here."""
        total = CorpusReport.from_json(read.to_json())
        total.documents -= self.report.documents
        total.utf8_bytes -= self.report.utf8_bytes
        for reason, count in self.report.skipped.items():
            total.skipped[reason] = count
            total.examples[reason] = self.report.examples[reason]
        return total
