"""Helpers for tokenizers.Tokenizer: a copy that shares the model, the settings without vocabulary.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import tempfile
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import tokenizers
from tokenizers import models

NOT_ITS_FAULT = (KeyboardInterrupt, SystemExit, MemoryError)
_stderr_lock = RLock()


@contextmanager
def as_value_error(problem: str) -> Iterator[None]:
    """What the library raises over damaged files, be it a panic of Rust, becomes one sentence."""
    try:
        with _without_report():
            yield
    except (ValueError, OSError, *NOT_ITS_FAULT):
        raise
    except BaseException as error:  # a panic is no Exception
        raise ValueError(f"{problem}: {' '.join(str(error).split())}") from None


@contextmanager
def _without_report() -> Iterator[None]:
    """Hold back standard error, where Rust reports a panic itself, and drop it after a failure."""
    with _stderr_lock, tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.truncate(0)
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            os.write(2, held.read())


def read_json(path: Path) -> tokenizers.Tokenizer:
    """From a tokenizer.json; ValueError for any other file."""
    data = path.read_bytes().removeprefix(BOM_UTF8)
    problem = f"{path} is not a tokenizer.json"
    with as_value_error(problem):
        try:
            return tokenizers.Tokenizer.from_buffer(data)
        except ValueError as error:
            raise ValueError(f"{problem}: {error}") from None


def twin(
    tokenizer: tokenizers.Tokenizer, model: models.Model | None = None
) -> tokenizers.Tokenizer:
    """A copy with the same parts and added tokens, whose switches can be set apart.

    The model is shared, because to copy 50,000 tokens takes 0.2 s. Truncation and padding are not
    copied. model: another one for the copy.
    """
    copy = tokenizers.Tokenizer(model or tokenizer.model)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        setattr(copy, part, getattr(tokenizer, part))
    added = [token for _, token in sorted(tokenizer.get_added_tokens_decoder().items())]
    for special, tokens in itertools.groupby(added, lambda token: token.special):
        (copy.add_special_tokens if special else copy.add_tokens)(list(tokens))
    return copy


def settings(tokenizer: tokenizers.Tokenizer) -> dict:
    """tokenizer.json as the library writes it, but without vocabulary, merges and ids."""
    state = json.loads(twin(tokenizer, models.BPE()).to_str())
    model = {"type": type(tokenizer.model).__name__}
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        model[name] = getattr(tokenizer.model, name, None)
    return state | {"model": model}


def fingerprint(tokenizer: tokenizers.Tokenizer, special: Collection[str]) -> str:
    """sha256 (hex) of vocabulary, merges and special tokens, whichever files they came from."""
    vocab = tokenizer.get_vocab(with_added_tokens=True)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    canonical = {
        "vocab": sorted(vocab, key=vocab.__getitem__),
        "merges": [merge.split(" ") if isinstance(merge, str) else merge for merge in merges],
        "special": sorted(special),
    }
    return hashlib.sha256(json.dumps(canonical).encode("ascii")).hexdigest()


def pre_tokenizer_steps(state: dict) -> list[dict]:
    """The pre-tokenizers of a tokenizer.json, one after the other."""
    splitter = state["pre_tokenizer"] or {"type": "none"}
    return splitter.get("pretokenizers", [splitter])
