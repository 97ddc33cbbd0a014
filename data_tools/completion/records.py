"""Read records for training: {"token_ids": [...], "label": "Python"}, a line each, by number.

A file is read once when it is opened: each line is checked, and its place in the file is kept. So
memory holds 12 bytes a record, and any record can be read in any order. Files of other programs are
read too; beside them lies no meta.json, and then every record gets an end token, as theirs do.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from pathlib import Path

import numpy as np

from data_tools.completion.languages import PAD, label_of, token_of
from data_tools.completion.options import ENDS
from data_tools.json_fields import (
    HASH,
    LARGEST,
    Field,
    check,
    either,
    parsed,
    read_object,
    shown,
    text,
    whole,
)
from data_tools.preparing.flags import FIM_TOKENS

_END = either(*(Field(repr(word), word.__eq__) for word in ENDS))
META = {"format_version": whole(1, 1), "eos": _END, "tokenizer_fingerprint": HASH}
FIELDS = {
    # The kinds of ids are looked at together: one by one takes ten times as long.
    "token_ids": Field(f"a list of one or more whole numbers from 0 to {LARGEST}", lambda value:
                       isinstance(value, list) and {*map(type, value)} == {int}
                       and 0 <= min(value) <= max(value) <= LARGEST),
    "label": text(),
}


class CompletionRecords:
    """The records of one file, in its order; use as a context manager, or call close().

    lengths: int32 [records], of input_ids(i). labels: those that occur, as Python, Java. sha256: of
    the file, which tells whether a resumed run has the same data.
    """

    def __init__(self, path: str | os.PathLike, tokenizer, max_seq_length: int):
        """tokenizer: has a control token for each language, as the one beside the records.

        ValueError names file and line of what is no record, has an id beyond the vocabulary or a
        label without a token, and a fill-in-the-middle record that max_seq_length would cut.
        """
        self.path, self.max_seq_length = Path(path), max_seq_length
        if max_seq_length < 3:
            raise ValueError(f"max_seq_length {max_seq_length} leaves no room: expected at least 3")
        self._vocab_size, self._eos = tokenizer.vocab_size, tokenizer.eos_token_id
        self._special = tokenizer.special_tokens
        self._infilled = self._special.get(FIM_TOKENS[0])
        self._ends_each = self._meta(tokenizer) == "every_window"
        try:
            self._file = open(self.path, "rb")
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}") from None
        try:
            self._index()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self.lengths)

    def input_ids(self, number: int) -> np.ndarray:
        """int64 [at most max_seq_length]: the language's token, the record's ids, perhaps an end.

        A record that is too long loses tokens at its end. Where it ends in the end token, it loses
        those at its start instead: the end token stays, behind what is the file's end.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"record {number} of {self.path}, which has {len(self)}")
        self._file.seek(self._places[number])
        return self._input_ids(self._file.readline(), number + 1)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> CompletionRecords:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _meta(self, tokenizer) -> str:
        """Where end tokens are; ValueError where the records were made with another tokenizer."""
        path = self.path.parent / "meta.json"
        if not path.exists():
            return "every_window"
        meta = read_object(path, META, META)
        if meta["tokenizer_fingerprint"] != tokenizer.fingerprint():
            raise ValueError(f"{self.path} was made with another tokenizer than the model's: take "
                             f"{self.path.parent / 'tokenizer'}, or make the data again")
        return meta["eos"]

    def _index(self) -> None:
        """Check every line, and remember where it is."""
        places, lengths, digest, place = array("q"), array("i"), hashlib.sha256(), 0
        self.labels: set[str] = set()
        for number, line in enumerate(self._file, start=1):
            digest.update(line)
            if line.strip():
                places.append(place)
                lengths.append(len(self._input_ids(line, number)))
            place += len(line)
        if not places:
            raise ValueError(f"{self.path} holds no records")
        self._places, self.lengths = places, np.frombuffer(lengths, np.int32)
        self.sha256 = digest.hexdigest()

    def _input_ids(self, line: bytes, number: int) -> np.ndarray:
        try:
            ids, language = self._checked(line)
        except ValueError as error:
            raise ValueError(f"{self.path}, line {number}: {error}") from None
        end = [self._eos] if self._ends_each and ids[-1] != self._eos else []
        room = self.max_seq_length - 1 - len(end)
        if len(ids) > room:
            if ids[0] == self._infilled:
                raise ValueError(
                    f"{self.path}, line {number}: {len(ids)} ids and a language token are more "
                    f"than max_seq_length {self.max_seq_length}, and a fill-in-the-middle record "
                    "cannot be cut: make the data again with a smaller --segment_len")
            ids = ids[-room:] if ids[-1] == self._eos else ids[:room]
        return np.array([language, *ids, *end], dtype=np.int64)

    def _checked(self, line: bytes) -> tuple[list[int], int]:
        """The ids of a record, and the id of its language's token."""
        record = parsed(line)
        check(record, FIELDS, FIELDS)
        ids, label = record["token_ids"], record["label"]
        if max(ids) >= self._vocab_size:
            raise ValueError(f"token id {max(ids)} is outside the vocabulary of {self._vocab_size}")
        token = token_of(label)
        if token not in self._special or token in (PAD, *FIM_TOKENS):
            raise ValueError(f"label is {shown(label)}, but the tokenizer has no token {token}")
        self.labels.add(label_of(label))
        return ids, self._special[token]
