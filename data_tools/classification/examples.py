"""Texts with labels as the examples of a training run: ids, and the number of the class."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from data_tools.classification import balancing
from data_tools.classification.labels import names_of, read_names
from data_tools.classification.reading import Columns, read_labelled
from data_tools.tokenizing.any_tokenizer import AnyTokenizer


class LabelledExamples:
    """The texts of one file by number.

    names: of the classes, by their numbers. classes: int64 [texts]. sha256: of the file. After
    `encode`, inputs: int64 [texts], how many ids of each are used, and cut: how many texts have
    more.
    """

    def __init__(self, path: str, columns: Columns | None = None,
                 names: tuple[str, ...] | None = None):
        """names: of the classes that are there; None for those that the file has, or of labels.json
        beside it. Where that file lies beside it, the file has their numbers.

        ValueError names file and line of what is no text with one of these labels.
        """
        self.path = Path(path)
        found = read_labelled(path, columns or Columns())
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        beside = read_names(self.path.parent)
        if beside and all(one.label.isdecimal() for one in found):
            found = [one._replace(label=beside[int(one.label)] if int(one.label) < len(beside)
                                  else one.label) for one in found]
            names = names or beside
        self.names = names or names_of(one.label for one in found)
        numbers = {name: number for number, name in enumerate(self.names)}
        for one in found:
            if one.label not in numbers:
                raise ValueError(f"{path}, line {one.line}: the label is {one.label!r}, expected "
                                 f"one of {', '.join(self.names)}")
        self.texts, self._lines = [one.text for one in found], [one.line for one in found]
        self.classes = np.array([numbers[one.label] for one in found])
        self.cut = 0

    def undersample(self, seed: int) -> None:
        """Keep of each class as many texts as the rarest one has, in a new order."""
        kept = balancing.shuffled(balancing.undersampled(self.classes, seed), seed)
        self.texts = [self.texts[row] for row in kept]
        self._lines, self.classes = [self._lines[row] for row in kept], self.classes[kept]

    def encode(self, tokenizer: AnyTokenizer, most: int | None = None) -> None:
        """Make the ids. most: ids of a text that are used, those at its beginning; None for all."""
        every = tokenizer.encode_batch(self.texts)
        for line, ids in zip(self._lines, every, strict=True):
            if not len(ids):
                raise ValueError(f"{self.path}, line {line}: the text has no tokens")
        self.longest = max(map(len, every))
        self.cut = sum(len(ids) > (most or len(ids)) for ids in every)
        self._ids = [ids[:most] for ids in every]
        self.inputs = np.array([len(ids) for ids in self._ids], np.int64)
        self.highest = max(int(ids.max()) for ids in self._ids)

    def __len__(self) -> int:
        return len(self.texts)

    def read(self, number: int) -> tuple[np.ndarray, int]:
        """The ids (n,) int64 of a text, n >= 1, and the number of its class."""
        return self._ids[number].astype(np.int64), int(self.classes[number])

    def describe(self, number: int) -> str:
        return f"line {self._lines[number]} of {self.path}"

    def standing_in(self, others: Collection[str]) -> np.ndarray:
        """bool [texts]: whether a text is one of the others, to the letter."""
        others = set(others)
        return np.array([text in others for text in self.texts])
