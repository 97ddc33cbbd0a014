"""GPT-2's vocab.json + merges.txt: finding and reading them, and the byte alphabet they are in."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from functools import cache
from pathlib import Path


@cache
def byte_of_symbol() -> dict[str, int]:
    """The byte each of GPT-2's 256 printable symbols stands for (bytes_to_unicode, inverted)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {chr(byte): byte for byte in printable}
    return symbols | {chr(256 + i): byte for i, byte in enumerate(others)}


def find_files(path: str | os.PathLike) -> list[Path]:
    """The tokenizer.json at `path`, or in a folder without one [vocab.json, merges.txt]; or []."""
    path = Path(path)
    if not path.is_dir():
        return [path] if path.is_file() and path.suffix.lower() != ".model" else []
    pair = [path / "vocab.json", path / "merges.txt"]
    if (path / "tokenizer.json").is_file():
        return [path / "tokenizer.json"]
    return pair if all(file.exists() for file in pair) else []


def read_vocab_and_merges(
    vocab_file: str | os.PathLike, merges_file: str | os.PathLike,
    declared: Collection[str] = (),
) -> tuple[dict[str, int], list[tuple[str, str]], list[str]]:
    """(vocabulary, merges, special tokens), checked against each other.

    The `#version` line is optional. A loader that always drops the first line loses merge 1 where
    there is no such line; in a vocabulary of code that merge is two spaces. Special tokens
    are the entries like `<...>` or `[...]` that no merge makes. Any other unmakeable entry means
    that merges are missing, and raises ValueError, except for those `declared` elsewhere.
    """
    vocab = _read_vocab(Path(vocab_file))
    merges = _read_merges(Path(merges_file))
    for number, (left, right) in enumerate(merges, start=1):
        for token in (left, right, left + right):
            if token not in vocab:
                raise ValueError(
                    f"merge {number} of {merges_file} needs {token!r}, which {vocab_file} lacks: "
                    "the two files must come from one tokenizer"
                )
    made = {left + right for left, right in merges} | set(byte_of_symbol())
    made.update(declared)
    unmade = sorted((token for token in vocab if token not in made), key=vocab.__getitem__)
    special = [token for token in unmade if token[:1] + token[-1:] in ("<>", "[]")]
    lost = [token for token in unmade if token not in special]
    if lost:
        raise ValueError(
            f"no merge in {merges_file} makes {len(lost)} token(s) of {vocab_file}, such as "
            f"{lost[0]!r}: merges are missing, or the two files come from different tokenizers"
        )
    return vocab, merges, special


def _read_vocab(path: Path) -> dict[str, int]:
    try:
        vocab = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"cannot read vocabulary {path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(vocab, dict) or not all(type(i) is int for i in vocab.values()):
        raise ValueError(f"{path} is not a vocabulary: expected one JSON object, token to id")
    return vocab


def _read_merges(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read merges {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8, so not a merges file") from None
    # Not splitlines, which also cuts at characters that a vocabulary may hold.
    lines = [line.rstrip("\r") for line in text.split("\n")]
    first = 1 if lines[0].startswith("#version") else 0
    merges = []
    for number, line in enumerate(lines[first:], start=first + 1):
        pair = line.split(" ")
        if not line:
            continue
        if len(pair) != 2 or not all(pair):
            raise ValueError(f"{path} line {number}: expected two tokens and a space, got {line!r}")
        merges.append((pair[0], pair[1]))
    return merges
