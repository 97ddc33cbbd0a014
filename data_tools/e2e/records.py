"""Read records for training, as FT_Dataset of microsoft/LoRA does: context, then completion.

A record is {"context": [ids], "completion": [ids]}, a line each; other keys are not looked at. The
files of microsoft/LoRA's gpt2_encode are read too.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from data_tools.json_fields import LARGEST, Field, check, parsed

IGNORED = -100
SEQ_LEN = 512
_IDS = Field(f"a list of one or more whole numbers from 0 to {LARGEST}", lambda value:
             isinstance(value, list) and {*map(type, value)} == {int}
             and 0 <= min(value) <= max(value) <= LARGEST)
FIELDS = {"context": _IDS, "completion": _IDS}


class E2ERecords:
    """The records of one file by number, with labels.

    lengths: of each record, context and completion together. highest: the largest id. sha256: of
    the file.
    """

    def __init__(self, path: str | os.PathLike, seq_len: int = SEQ_LEN, joint_lm: bool = False):
        """seq_len: ids of an example; a longer record loses its end. joint_lm: the context is
        learned too (--obj jlm), and not the completion alone.

        ValueError names file and line of what is no record.
        """
        if seq_len < 2:
            raise ValueError(f"seq_len {seq_len} leaves no room: expected at least 2")
        self.path, self.seq_len, self.joint_lm = Path(path), seq_len, joint_lm
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}") from None
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._records = [_record(line, f"{self.path}, line {number}")
                         for number, line in enumerate(content.split(b"\n"), start=1)
                         if line.strip()]
        if not self._records:
            raise ValueError(f"{self.path} holds no records")
        self.lengths = [len(context) + len(completion) for context, completion in self._records]
        self.highest = max(int(ids.max()) for record in self._records for ids in record)

    def __len__(self) -> int:
        return len(self._records)

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """ids (n,) int64, n at most seq_len, and the label that each of them is, or -100.

        The completion is learned, its first token after the context's last one. Of a context that
        fills seq_len nothing is.
        """
        context, completion = self._records[number]
        ids = np.concatenate([context, completion])[: self.seq_len].astype(np.int64)
        labels = ids.copy()
        if not self.joint_lm:
            labels[: len(context)] = IGNORED
        return ids, labels

    @property
    def inputs(self) -> np.ndarray:
        """int64 (records,): how many tokens a model is given of each; its last one is a label only.
        """
        return np.minimum(self.lengths, self.seq_len) - 1

    def context(self, number: int) -> np.ndarray:
        """All ids of the context (n,) int32."""
        return self._records[number][0]

    def query(self, number: int, eval_len: int) -> np.ndarray:
        """The context as a prompt (n,) int64: its end, so that eval_len tokens have room behind."""
        room = self.seq_len - eval_len
        if room < 1:
            raise ValueError(f"eval_len {eval_len} leaves no room for a context in seq_len "
                             f"{self.seq_len}")
        return self._records[number][0][-room:].astype(np.int64)

    def distinct(self) -> list[int]:
        """The number of the first record of each different context, in order."""
        first: dict[bytes, int] = {}
        for number, (context, _) in enumerate(self._records):
            first.setdefault(context.tobytes(), number)
        return list(first.values())

    def describe(self, number: int) -> str:
        return f"record {number + 1} of {self.path}"


def _record(line: bytes, place: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        record = parsed(line)
        check(record, FIELDS, FIELDS)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    return np.array(record["context"], np.int32), np.array(record["completion"], np.int32)
