"""The tokens of a text by one tokenizer, beside those by another."""

from __future__ import annotations

from data_tools.tokenizing.opening import open_files


def tokens_of(folder: str, text: str) -> dict:
    """{"tokenizer": its folder, "vocab_size", "tokens": [text of each]}, as plain text is encoded.

    folder: of a byte-level BPE. Tokens are written as in its vocabulary: a space is \u0120.
    """
    library, *_ = open_files(folder)
    library.encode_special_tokens = True
    found = library.encode(text, add_special_tokens=False).tokens
    return {"tokenizer": folder, "vocab_size": library.get_vocab_size(), "tokens": found}


def lines(found: dict) -> list[str]:
    tokens = found["tokens"]
    return [f"{found['tokenizer']} ({found['vocab_size']:,} tokens) makes {len(tokens)}:",
            f"  {tokens}"]
