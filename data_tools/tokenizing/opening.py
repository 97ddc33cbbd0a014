"""From files to a tokenizers.Tokenizer with everything that stands beside the vocabulary."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from data_tools.tokenizing.added_tokens import add_declared
from data_tools.tokenizing.bpe_files import find_files, read_vocab_and_merges
from data_tools.tokenizing.rust_tokenizer import as_value_error, read_json, settings, twin
from data_tools.tokenizing.tokenizer_config import TokenizerConfig


class Opened(NamedTuple):
    """origin: what errors call it. file: a tokenizer.json that says the same as `library`."""

    library: tokenizers.Tokenizer
    origin: str
    file: Path | None
    config: TokenizerConfig


def open_files(path: str | os.PathLike) -> Opened:
    """From a tokenizer.json, or a folder with tokenizer.json or vocab.json + merges.txt.

    What else lies in the folder is read too, except for a file of another name than
    tokenizer.json, which stands alone. ValueError where there is no such file, or one is damaged.
    """
    files = find_files(path)
    if not files:
        raise ValueError(
            f"no tokenizer at {path}: expected tokenizer.json, or vocab.json and merges.txt"
        )
    alone = len(files) == 1 and files[0].name != "tokenizer.json"
    config = TokenizerConfig() if alone else TokenizerConfig.read(files[0].parent)
    with as_value_error(f"{files[0]} cannot be used"):
        library = read_json(*files) if len(files) == 1 else from_pair(*files, config.texts)
        more = add_declared(library, config, str(files[0]))
        _try_out(twin(library))
    same = len(files) == 1 and not (more or library.truncation or library.padding)
    config = replace(config, added={}, declared=())  # the library has them now
    return Opened(library, str(files[0]), files[0] if same else None, config)


def from_pair(
    vocab_file: str | os.PathLike, merges_file: str | os.PathLike, declared: Collection[str] = ()
) -> tokenizers.Tokenizer:
    """From GPT-2's pair of files, without the tokens that other files declare: see bpe_files."""
    vocab, merges, special = read_vocab_and_merges(vocab_file, merges_file, declared)
    with as_value_error(f"{vocab_file} cannot be used"):
        tokenizer = byte_level(models.BPE(vocab=vocab, merges=merges))
        tokenizer.add_special_tokens(
            [AddedToken(token, special=True, normalized=False) for token in special])
        return tokenizer


def _try_out(library: tokenizers.Tokenizer) -> None:
    """Use what a damaged file may have spoiled, so that it fails here and not later."""
    settings(library)
    for texts in ([], ["a text\n", "\u00e9 <|endoftext|> 0\t", ""]):
        library.encode_batch(texts)


def byte_level(model: models.BPE) -> tokenizers.Tokenizer:
    """GPT-2's way of cutting text into words, around a model."""
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
