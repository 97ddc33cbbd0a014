"""Learning the merges of a byte-level BPE."""

from __future__ import annotations

from collections.abc import Iterable

import tokenizers
from tokenizers import AddedToken, pre_tokenizers, trainers


def train(
    tokenizer: tokenizers.Tokenizer,
    texts: Iterable[str | list[str]],
    vocab_size: int,
    end_token: str,
) -> None:
    """Fill `tokenizer`: `end_token` is id 0, the 256 bytes follow, then a token for each merge.

    The same texts in the same order give the same merges, in lists or not.
    """
    if vocab_size < 257:
        raise ValueError(
            f"vocab_size must be at least 257 (256 bytes and {end_token}), not {vocab_size}"
        )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[AddedToken(end_token, special=True, normalized=False)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(iter(texts), trainer)
