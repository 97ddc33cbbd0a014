"""The languages of a dataset: which file is of which, and the labels and control tokens.

Standard library only.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from data_tools.reading.languages import SUFFIXES_OF_LANGUAGE

DEFAULT = ("python", "java")
PAD = "<pad>"
_FIM = "<fim_"
_NAME = re.compile(r"[a-z][a-z0-9_+#-]*")
# Control tokens of the form <name> that are no languages.
_OTHERS = {PAD, *map("<{}>".format, ("unk", "s", "bos", "eos", "bod", "eod", "mask", "sep", "cls"))}
_PACKED = re.compile(r"\.(gz|zst|xz|bz2)$")


def chosen(names: Iterable[str] | None, more: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """Suffixes, in small letters with their dot, by language.

    names: each one language or several with commas; None for DEFAULT. more: LANGUAGE=SUFFIX,...
    for languages that the table lacks or names otherwise. A suffix of several languages belongs to
    the first of them. ValueError for a language without suffixes, with the nearest known one.
    """
    table: dict[str, tuple[str, ...]] = {**SUFFIXES_OF_LANGUAGE, **dict(map(_added, more or ()))}
    wanted = [name.strip().lower() for words in names or () for name in words.split(",")]
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(filter(None, wanted)) or DEFAULT:
        if name not in table:
            (nearest,) = difflib.get_close_matches(name, table, n=1, cutoff=0.0)
            raise ValueError(f"--languages: {name!r} is not known, the nearest one is {nearest!r} "
                             f"(--language_suffixes {name}=.SUFFIX adds it)")
        found[name] = tuple(suffix for suffix in table[name] if suffix not in taken)
        taken |= {*table[name]}
    return found


def of_document(name: str, languages: Mapping[str, tuple[str, ...]]) -> str | None:
    """The language of a document by its file's name, packed or not; None where no suffix tells it.

    Where there is but one language, what has no suffix, such as a record, is of this one.
    """
    bare = _PACKED.sub("", name.lower())
    fitting = [(len(suffix), language) for language, suffixes in languages.items()
               for suffix in suffixes if bare.endswith(suffix)]
    if fitting:
        return max(fitting)[1]
    return next(iter(languages)) if len(languages) == 1 else None


def label_of(language: str) -> str:
    """As records have it: Python, Java."""
    return language.capitalize()


def token_of(label: str) -> str:
    """The control token of a language or a label: <python> for Python."""
    return f"<{label.lower()}>"


def languages_of(special_tokens: Mapping[str, int]) -> dict[str, int]:
    """The languages that have a control token, such as python, with its id; in order of names."""
    return {token[1:-1]: special_tokens[token] for token in sorted(special_tokens)
            if token == f"<{token[1:-1]}>" and _NAME.fullmatch(token[1:-1])
            and token not in _OTHERS and not token.startswith(_FIM)}


def id_of(language: str, special_tokens: Mapping[str, int]) -> int:
    """The id that stands before texts of the language; ValueError, with those there are."""
    known = languages_of(special_tokens)
    name = language.strip().lower()
    if name not in known:
        there = f"it has {', '.join(known)}" if known else "it has none of any language"
        raise ValueError(f"the tokenizer has no token for the language {language!r}: {there}")
    return known[name]


def control_tokens(languages: Iterable[str]) -> tuple[str, ...]:
    """`<pad>`, then those of the default languages and of `languages`, in order.

    The default ones are always there, so that their ids do not depend on the languages of a
    dataset: with GPT-2's vocabulary 50257, 50258 and 50259.
    """
    return (PAD, *map(token_of, dict.fromkeys((*DEFAULT, *languages))))


def _added(words: str) -> tuple[str, tuple[str, ...]]:
    name, equals, suffixes = words.lower().partition("=")
    found = tuple("." + suffix.strip().lstrip(".") for suffix in suffixes.split(","))
    if not (equals and _NAME.fullmatch(name) and all(len(suffix) > 1 for suffix in found)):
        raise ValueError(f"--language_suffixes: {words!r} is not like zig=.zig,.zon")
    if token_of(name) == PAD or token_of(name).startswith(_FIM):
        raise ValueError(f"--language_suffixes: {name!r} is the name of another control token")
    return name, found
