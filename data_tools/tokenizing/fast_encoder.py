"""Encode texts to one flat row of ids: by fastokens where its ids are right, else by tokenizers.

fastokens 0.3.5 is some 50 times as fast. On 56 million characters of random Unicode, and on every
code point in eight contexts, it gave tokenizers' ids wherever text is cut into words by ByteLevel
alone (GPT-2's way), whatever the merges. It does not where a tokenizer brings a regular expression
of its own (a space before U+180E, for one), or for some added tokens: see `unlike`. So its ids are
compared with tokenizers' before it is used, on texts on which encoders have differed; the caller
can have them compared on other texts.
"""

from __future__ import annotations

import os
import random
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tokenizers

from data_tools.tokenizing.preload import take
from data_tools.tokenizing.rust_tokenizer import NOT_ITS_FAULT, pre_tokenizer_steps, settings

TRIALS = (  # one line for each kind of character or text that encoders have got wrong
    "",
    "def f(x):\n    return {'k': [x[1:], -1]}  # a comment\n\n\n\tif (a!=b): pass\r\n",
    "I'm you're he's we'll they'd I've don't DON'T I'M WE'LL \u2019s 'S ''s 'k 's't'\u017f",
    "  two\t\ttabs \n\n  \r\n x\x0b\x0cy\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003z",
    "\u2028 \u2029\u202f\u205f\u3000  x\u3000 y\u00a0z  \u2009  ",
    "\0a\0\0 \u180e \u200b\ufeff\u200d\x7f\x80 \ufffd",
    "e\u0301\u0327 \u0915\u094d\u0937 \u05e9\u05c1 a\u20e3 1\ufe0f\u20e3",  # combining marks
    "\u2167\u00bd\u00b2\u2460\u0663\u09e9\U0001d7d8 12345 67.8e-9 0x1F 1_000",  # Nl, No, Nd
    "\u0378 \U000e0fff \U0010ffff\ue000",  # unassigned, private
    "\u1c89\ua7cb\U00010d4a\U00016d40 \U0001e5d0",  # letters of Unicode 16
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1e9",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u4f60\u597d\uff0c\u4e16\u754c \ud55c\uad6d",
    "\u0e44\u0e17\u0e22 \u1112\u1161\u11ab \u0939\u093f\u0928\u094d\u0926\u0940",
    " " * 130 + "a" * 130 + "-" * 130 + "\n" * 130 + "\u00e9" * 130 + "0" * 130,
)


class FlatEncoder:
    """Encodes for one tokenizer; the fast encoder is built at the first text, in some 0.4 s.

    `plain` has encode_special_tokens set: special tokens in a text are text. Safe in threads;
    Python's lock is released while texts are encoded. fastokens uses as many threads as
    FASTOKENS_BPE_THREADS says, else RAYON_NUM_THREADS, else one a core, at most 32; each of them
    remembers words in at most some 110 MB (measured on 400 MB of words that never came twice).
    """

    def __init__(self, plain: tokenizers.Tokenizer, file: Path | None = None):
        """file: a tokenizer.json that says the same; preload.py may have begun its fast encoder."""
        self._plain, self._file = plain, file
        self._fast = None
        self._built = False
        self._building = threading.Lock()

    @property
    def name(self) -> str:
        """What encodes, and its version: "fastokens 0.3.5" or "tokenizers 0.23.3"."""
        return _fast_name() if self._ready() else _plain_name()

    def warm_up(self) -> None:
        """Start building the fast encoder in a thread, beside what the caller does next."""
        threading.Thread(target=self._ready).start()

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """ids uint32 [tokens], offsets int64 [texts + 1]; not to be written to.

        A text that fastokens alone cannot encode ends its use, with a warning.
        """
        texts, fast = list(texts), self._ready()
        if fast is None:
            return self._by_tokenizers(texts)
        try:
            return _by_fastokens(fast, texts)
        except NOT_ITS_FAULT:
            raise
        except BaseException as error:  # a panic of Rust is no Exception
            found = self._by_tokenizers(texts)  # raises as well where the text is at fault
            self._give_up(f"failed to encode a text ({error})")
            return found

    def self_check(self, texts: Sequence[str]) -> None:
        """Encode `texts` both ways; a difference ends the use of fastokens, with a warning."""
        if (fast := self._ready()) and (difference := self._difference(fast, list(texts))):
            self._give_up(difference)

    def _ready(self):
        """The fast encoder, or None."""
        with self._building:
            if not self._built:
                self._fast = self._build()
                self._built = True
        return self._fast

    def _build(self):
        try:
            from fastokens import Tokenizer as Fast
        except ImportError:
            return None
        if (threads := os.environ.get("RAYON_NUM_THREADS", "")).isdigit() and int(threads):
            os.environ.setdefault("FASTOKENS_BPE_THREADS", threads)  # read once, at the first text
        reason = unlike(settings(self._plain))
        try:
            begun = take(self._file)
            fast = None if reason else begun or Fast.from_json_str(self._plain.to_str())
            reason = reason or self._difference(fast, self._trials())
        except NOT_ITS_FAULT:
            raise
        except BaseException as error:  # of a tokenizer, or a version, without what is needed
            reason = f"cannot be used ({error})"
        if reason:
            self._give_up(reason)
            return None
        return fast

    def _trials(self) -> list[str]:
        vocabulary = range(self._plain.get_vocab_size())
        walk = random.Random(0).choices(vocabulary, k=2000)
        names = [token.content for token in self._plain.get_added_tokens_decoder().values()]
        return [
            *TRIALS,
            self._plain.decode(walk, skip_special_tokens=False),
            *(f"a{name} {name}{name[:-1]}\n{name[1:]}  {name}b" for name in names[:100]),
        ]

    def _difference(self, fast, texts: list[str]) -> str | None:
        """What differs between the two encoders, or None."""
        ids, offsets = _by_fastokens(fast, texts)
        wanted = self._plain.encode_batch_fast(texts, add_special_tokens=False)
        for i, encoding in enumerate(wanted):
            if encoding.ids != ids[offsets[i] : offsets[i + 1]].tolist():
                return f"gives other ids for text {i} of {len(texts)} tried, {texts[i][:40]!r}"
        return None

    def _by_tokenizers(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        encodings = self._plain.encode_batch_fast(texts, add_special_tokens=False)
        return flat([np.array(encoding.ids, dtype=np.uint32) for encoding in encodings])

    def _give_up(self, reason: str) -> None:
        self._fast = None
        warnings.warn(
            f"{_fast_name()} {reason}: {_plain_name()} encodes instead, slower and exact",
            stacklevel=2,
        )


def unlike(state: dict) -> str | None:
    """Why fastokens would give other ids for the tokenizer with these settings, or None."""
    if [step["type"] for step in pre_tokenizer_steps(state)] != ["ByteLevel"]:
        return "cuts text into words in its own way for other pre-tokenizers than ByteLevel"
    added = state["added_tokens"]
    if all(token["special"] for token in added):  # which are not looked for in a text
        return None
    for token in added:
        if token["single_word"] and not token["special"]:
            return f"finds the word {token['content']!r}, an added token, in other places"
    # Both libraries look for the one kind first, then for the other in what is left.
    letters = [{c for t in added if t["normalized"] is kind for c in t["content"]}
               for kind in (True, False)]
    if letters[0] & letters[1]:
        return "finds added tokens in another order where some are normalized and some are not"
    return None


def flat(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids, one after the other: (ids uint32 [tokens], offsets int64 [rows + 1])."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return np.concatenate([np.empty(0, np.uint32), *rows]), offsets


def _by_fastokens(fast, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    ids, offsets = fast.encode_batch_flat(
        texts, add_special_tokens=False, split_special_tokens=True
    )
    return np.frombuffer(ids, dtype="<u4"), np.frombuffer(offsets, dtype="<i8")


def _fast_name() -> str:
    from importlib.metadata import version

    return f"fastokens {version('fastokens')}"


def _plain_name() -> str:
    return f"tokenizers {tokenizers.__version__}"
