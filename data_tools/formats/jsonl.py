"""One JSON record a line with the ids of a document: {"token_ids": [1, 2, 3], ...}."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_tools.formats.documents import BLOCK_TOKENS, Block


class JsonLines:
    """The documents of a .jsonl file; other keys of a record are not read."""

    def __init__(self, path: str, key: str):
        if not Path(path).is_file():
            raise ValueError(f"{path} is missing")
        self.path, self.key, self.notes = path, key, []

    def blocks(self) -> Iterator[Block]:
        ids: list[int] = []
        offsets = [0]
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                ids += self._ids(line, number)
                offsets.append(len(ids))
                if len(ids) >= BLOCK_TOKENS // 8:  # a Python int takes eight times an id's room
                    yield np.array(ids, dtype=np.int64), np.array(offsets)
                    ids, offsets = [], [0]
        yield np.array(ids, dtype=np.int64), np.array(offsets)

    def _ids(self, line: bytes, number: int) -> list[int]:
        where = f"{self.path}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where} is not JSON: {error}") from None
        ids = record.get(self.key) if isinstance(record, dict) else None
        if not isinstance(ids, list):
            raise ValueError(f"{where} has no list {self.key!r}")
        for i in ids:
            if type(i) is not int or not 0 <= i < 2**31:
                raise ValueError(f"{where}: {str(i)[:30]!r} is not a token id")
        return ids
