"""Encoded records as the examples of a training run: cut, or left out where nothing is learned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from data_tools.instructions.encoding import Encoded, Encoder
from data_tools.instructions.records import Conversation, Instruction

IGNORED = -100
Record = Instruction | Conversation


class InstructionExamples:
    """The records of one part of the data by number.

    dropped: why a record is left out, each with its place. cut: how many were too long.
    control_tokens: how many hold the text of a control token, which becomes the token. sha256: of
    the ids and of which are learned.
    """

    def __init__(
        self, records: Iterable[Record], encoder: Encoder, max_seq_length: int, *,
        side: str = "answer", all_tokens: bool = True,
    ):
        """max_seq_length: tokens of an example that the model is given; one more is a label.

        side: what a longer example loses, see encoding.window. all_tokens: learn prompts too.
        """
        self.all_tokens = all_tokens
        self.dropped: list[str] = []
        self.cut = self.control_tokens = 0
        self._kept: list[tuple[str, Encoded]] = []
        for record in records:
            self._add(record, encoder, max_seq_length + 1, side)
        self.lengths = np.array([len(one.ids) for _, one in self._kept], np.int64)
        digest = hashlib.sha256(self.lengths.tobytes())
        for number in range(len(self)):
            ids, labels = self.read(number)
            digest.update(ids.tobytes() + labels.tobytes())
        self.sha256 = digest.hexdigest()

    def _add(self, record: Record, encoder: Encoder, most: int, side: str) -> None:
        if record.problem is not None:
            self.dropped.append(f"{record.place}: {record.problem}")
            return
        whole = encoder.encode(record)
        part = whole.within(most, side)
        learned = np.ones(len(part.ids), bool) if self.all_tokens else part.response
        if not learned[1:].any():
            self.dropped.append(f"{record.place}: no label is left within {most - 1} tokens")
            return
        self.cut += len(part.ids) < len(whole.ids)
        self.control_tokens += encoder.holds_control_token(record)
        self._kept.append((record.place, part))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def inputs(self) -> np.ndarray:
        """int64 (examples,): how many tokens the model is given of each; its last is a label only.
        """
        return self.lengths - 1

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """ids (n,) int64, and the label that each of them is, or -100."""
        ids = self._kept[number][1].ids.astype(np.int64)
        learned = ids if self.all_tokens else np.where(self.response(number), ids, IGNORED)
        return ids, learned

    def response(self, number: int) -> np.ndarray:
        """(n,) bool: the tokens of responses."""
        return self._kept[number][1].response

    def describe(self, number: int) -> str:
        return self._kept[number][0]


def in_file_order(
    records: Sequence[Record], shares: Sequence[float]
) -> tuple[Sequence[Record], Sequence[Record], Sequence[Record]]:
    """The parts for training, for the test and for validation, in the order of the file.

    shares: of the three, in this order. The first two are rounded down, the third has what is
    left, as in rasbt's "LLMs from scratch".
    """
    exact = [Fraction(str(round(share, 12))) for share in shares]
    whole = [int(len(records) * share / sum(exact)) for share in exact[:2]]
    first, second = whole[0], sum(whole)
    rest = records[second:] if exact[2] else []
    return records[:first], records[first:second], rest
