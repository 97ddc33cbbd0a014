"""What every kind of tokenizer offers to the rest of data_tools."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np


class AnyTokenizer(Protocol):
    """tokenizer.Tokenizer and chinese_tokenizer.ChineseTokenizer; load_tokenizer opens either.

    Text encodes as plain text: no text becomes the end token's id, except in
    encode(special_tokens=True).
    """

    holds_gil: bool  # encode_flat keeps other Python threads waiting: use processes
    unk_token_id: int | None  # the id of what the vocabulary cannot spell; None: spells everything
    chat_template: str | dict[str, str] | None  # in Jinja: one, or several by name

    @property
    def vocab_size(self) -> int: ...

    @property
    def eos_token_id(self) -> int: ...

    @property
    def special_tokens(self) -> dict[str, int]:
        """Ids of the tokens that only encode(special_tokens=True) gives."""

    @property
    def encoder(self) -> str:
        """Names and versions of what encode_flat runs on."""

    def warm_up(self) -> None:
        """Start to build, in a thread, what the first call of encode_flat needs."""

    def self_check(self, texts: Sequence[str]) -> None:
        """Check before a long run that `texts` can be encoded and give the right ids."""

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """ids uint32 [tokens], offsets int64 [texts + 1]."""

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """One int32 array of ids per text."""

    def encode(self, text: str, *, special_tokens: bool = False) -> np.ndarray: ...

    def decode_bytes(self, ids: Iterable[int]) -> bytes: ...

    def decode(self, ids: Iterable[int]) -> str: ...

    def token_byte_lengths(self) -> np.ndarray:
        """int32 [vocab_size]: bytes of text that decode_bytes gives for each token."""

    def with_added_tokens(
        self, tokens: Iterable[str], *, special: bool = True
    ) -> AnyTokenizer:
        """One that has each of `tokens` as one id too; ValueError where this kind takes none."""

    def named_as(self, other: AnyTokenizer) -> AnyTokenizer:
        """One with the names of special tokens and the chat template of `other`, which gives the
        same ids; where `other` has none, with its own."""

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """Texts by the names bos_token, eos_token and so on; a chat template may write them."""

    def apply_chat_template(
        self, messages: list[dict], *, add_generation_prompt: bool = False
    ) -> str:
        """The text of messages of a chat; encode(text, special_tokens=True) gives its ids."""

    def fingerprint(self) -> str:
        """sha256 (hex) of all that decides which ids a text has."""

    def save(self, directory: str | os.PathLike, *, model_max_length: int | None = None) -> None:
        """Write its files. model_max_length: the positions of the model that it is saved with."""


def end_of(tokenizer: AnyTokenizer) -> int | None:
    """The id of the end token; None if the tokenizer has none."""
    try:
        return tokenizer.eos_token_id
    except ValueError:
        return None
