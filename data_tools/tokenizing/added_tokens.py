"""Tokens beside a vocabulary's own: those that a tokenizer's files declare, and those of a user."""

from __future__ import annotations

from collections.abc import Iterable

import tokenizers
from tokenizers import AddedToken

from data_tools.tokenizing.tokenizer_config import TokenizerConfig


def add_declared(library: tokenizers.Tokenizer, config: TokenizerConfig, origin: str) -> bool:
    """Add what `config` declares and `library` does not have; whether there was anything to add.

    As transformers: first the tokens that have an id, by id, then special tokens at the end. A
    special token that the vocabulary has anyway keeps its id; where plain text becomes it, it
    stays a part of plain text. ValueError where a token cannot have the id that it is given.
    """
    before = _flags(library)
    known = _known(library)
    special = {token.content for token in config.declared}
    for i, token in sorted(config.added.items()):
        if token.content in known:
            continue
        its = library.token_to_id(token.content)
        free = library.get_vocab_size() if its is None else its
        if i != free:
            why = "the next free id is" if its is None else "in the vocabulary it has id"
            raise ValueError(f"{origin} cannot be used: its added token {token.content!r} is given "
                             f"id {i}, but {why} {free}")
        token.special |= token.content in special
        _add(library, token)
    known = _known(library)
    # Of several that name one token the last says how it is found.
    for token in {token.content: token for token in config.declared}.values():
        if (own := known.get(token.content)) is not None:
            if not own.special:  # tokenizer.json does not say what tokenizer_config.json says
                own.special = True
                _add(library, own)
        elif not _in_plain_text(library, token.content):
            _add(library, token)
    return _flags(library) != before


def add(library: tokenizers.Tokenizer, tokens: Iterable[str], special: bool) -> None:
    """Add those that are not there, in order, at the end. ValueError for what cannot be a token."""
    for text in tokens:
        if not isinstance(text, str) or not text or _broken(text):
            raise ValueError("a token to add must be a text of at least one character, got "
                             f"{text!r}")
        known = _known(library)
        if text in known and known[text].special >= special:
            continue
        if text not in known and _in_plain_text(library, text):
            if special:
                raise ValueError(f"{text!r} cannot be added as a special token: plain text "
                                 f"becomes its id {library.token_to_id(text)} already")
            continue
        _add(library, AddedToken(text, special=special, normalized=False))


def _known(library: tokenizers.Tokenizer) -> dict[str, AddedToken]:
    """The added tokens by their texts."""
    return {token.content: token for token in library.get_added_tokens_decoder().values()}


def _flags(library: tokenizers.Tokenizer) -> dict[str, bool]:
    """Whether each added token is special."""
    return {text: token.special for text, token in _known(library).items()}


def _in_plain_text(library: tokenizers.Tokenizer, text: str) -> bool:
    """Whether the vocabulary has the token and a text becomes it."""
    its = library.token_to_id(text)
    return its is not None and its in library.encode(text, add_special_tokens=False).ids


def _add(library: tokenizers.Tokenizer, token: AddedToken) -> None:
    (library.add_special_tokens if token.special else library.add_tokens)([token])


def _broken(text: str) -> bool:
    """Whether it holds half a surrogate pair, which no file can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
