"""Read pairs of token ids, a JSON object a line: {"context": [...], "completion": [...], ...}.

data_tools.create_e2e_data writes them; other fields, such as texts, are left alone.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from data_tools.json_fields import LARGEST, Field, check, parsed

_IDS = Field(f"a list of one or more whole numbers from 0 to {LARGEST}", lambda value:
             isinstance(value, list) and {*map(type, value)} == {int}
             and 0 <= min(value) <= max(value) <= LARGEST)
FIELDS = {"context": _IDS, "completion": _IDS}


class PairRecords:
    """The pairs of one file, in memory.

    pairs: (ids of the context, ids of the completion), each int64 (n,). highest: the largest id.
    sha256: of the file. ValueError, with file and line, for what is no pair.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}") from None
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []
        self._lines: list[int] = []
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip():
                self.pairs.append(self._pair(line, number))
                self._lines.append(number)
        if not self.pairs:
            raise ValueError(f"{self.path} holds no pairs")
        self.highest = max(int(ids.max()) for pair in self.pairs for ids in pair)

    def __len__(self) -> int:
        return len(self.pairs)

    def describe(self, number: int) -> str:
        return f"{self.path}, line {self._lines[number]}"

    def _pair(self, line: bytes, number: int) -> tuple[np.ndarray, np.ndarray]:
        try:
            record = parsed(line)
            check(record, FIELDS, FIELDS)
        except ValueError as error:
            raise ValueError(f"{self.path}, line {number}: {error}") from None
        context, completion = (np.array(record[name], np.int64) for name in FIELDS)
        return context, completion
