"""Read records for training: {"token_ids": [...], "label": "Python"}, a line each, by number.

A file is read once when it is opened: each line is checked, and its place in the file is kept. So
memory holds 12 bytes a record, and any record can be read in any order. Files of other programs are
read too; beside them lies no meta.json, and then every record gets an end token, as theirs do.
"""

from __future__ import annotations

import hashlib
import json
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

    Threads and forked processes may read at once.

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
        start, stop = self._places[number : number + 2]
        record = json.loads(os.pread(self._file.fileno(), stop - start, start))
        return np.array(self._given(record), dtype=np.int64)

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
                try:
                    record = self._checked(line)
                except ValueError as error:
                    raise ValueError(f"{self.path}, line {number}: {error}") from None
                places.append(place)
                lengths.append(len(self._given(record)))
                self.labels.add(label_of(record["label"]))
            place += len(line)
        places.append(place)  # where the last one ends
        if not lengths:
            raise ValueError(f"{self.path} holds no records")
        self._places, self.lengths = places, np.frombuffer(lengths, np.int32)
        self.sha256 = digest.hexdigest()

    def _checked(self, line: bytes) -> dict:
        """The record of a line; ValueError where it is none, or cannot be given to the model."""
        record = parsed(line)
        check(record, FIELDS, FIELDS)
        ids, label = record["token_ids"], record["label"]
        if max(ids) >= self._vocab_size:
            raise ValueError(f"token id {max(ids)} is outside the vocabulary of {self._vocab_size}")
        token = token_of(label)
        if token not in self._special or token in (PAD, *FIM_TOKENS):
            raise ValueError(f"label is {shown(label)}, but the tokenizer has no token {token}")
        if ids[0] == self._infilled and len(ids) > self._room(ids):
            raise ValueError(
                f"{len(ids)} ids and the tokens that are added are more than max_seq_length "
                f"{self.max_seq_length}, and a fill-in-the-middle record cannot be cut: make the "
                "data again with a smaller --segment_len")
        return record

    def _given(self, record: dict) -> list[int]:
        """What the model is given of a record."""
        ids, room = record["token_ids"], self._room(record["token_ids"])
        if len(ids) > room:
            ids = ids[-room:] if ids[-1] == self._eos else ids[:room]
        end = [self._eos] if self._is_ended(ids) else []
        return [self._special[token_of(record["label"])], *ids, *end]

    def _room(self, ids: list[int]) -> int:
        return self.max_seq_length - 1 - self._is_ended(ids)

    def _is_ended(self, ids: list[int]) -> bool:
        """Whether an end token is added."""
        return self._ends_each and ids[-1] != self._eos
