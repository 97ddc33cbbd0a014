"""Which byte-level BPE keeps text: decode_bytes(encode(text)) is text's bytes, for every text."""

from __future__ import annotations

from data_tools.tokenizing.bpe_files import byte_of_symbol
from data_tools.tokenizing.rust_tokenizer import pre_tokenizer_steps

# Pre-tokenizers that may stand beside ByteLevel: they cut text, and drop none unless told to.
KEEPING = ("Split", "Digits", "Punctuation", "UnicodeScripts", "FixedLength")
GONE = "Removed"


def loss(state: dict, vocab: dict[str, int]) -> str | None:
    """Why a tokenizer with these settings does not keep text byte for byte, or None."""
    model = state["model"]
    if model["type"] != "BPE":
        return f"its model is {model['type']}"
    if model["dropout"]:
        return "it drops merges at random (dropout)"
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model[name]:
            return f"it adds {model[name]!r} to the parts of words ({name})"
    if state["normalizer"] is not None:
        return f"it changes text before encoding ({state['normalizer']['type']})"
    steps = pre_tokenizer_steps(state)
    others = [step for step in steps if step["type"] != "ByteLevel"]
    lossy = [step for step in others if step["type"] not in KEEPING or step.get("behavior") == GONE]
    if lossy or len(steps) - len(others) != 1:
        return f"its pre-tokenizer is {(lossy or steps)[0]['type']}"
    if any(step["add_prefix_space"] for step in steps if step["type"] == "ByteLevel"):
        return "it adds a space before the text (add_prefix_space)"
    # A special token may do so: it is recognised in prompts only, never in a document.
    for token in state["added_tokens"]:
        if not token["special"] and (token["lstrip"] or token["rstrip"]):
            return f"its added token {token['content']!r} swallows the white space beside it"
    missing = sum(symbol not in vocab for symbol in byte_of_symbol())
    return f"its vocabulary lacks {missing} of the 256 bytes" if missing else None
