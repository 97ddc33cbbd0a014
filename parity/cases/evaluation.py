"""The fixtures of evaluation: a text as WikiText has it, passages, and a vocabulary for them.

A character is a token, of passages a letter. Ids at and above VOCABULARY are padding.
"""

import numpy as np

from parity.cases import Case

ALPHABET = " abcdefghijklmnopqrstuvwxyz\n=-.,:;!?'\"()[]01N@"
VOCABULARY = len(ALPHABET)
# Small, so that a model of random weights chooses the last word of some passages.
FEW = 7
# Windows of the text overlap, and the last is shorter; the window of passages cuts some of them.
WINDOW, MOVED, PASSAGE_WINDOW = 32, 9, 16

WIKITEXT = (
    " \n = a title = \n \n = = a part = = \n \n one @-@ two of 1 @,@ 000 and 0 @.@ 1 , that is "
    "( as n ) it said : \" so ! \" the cats ' tail ; [ n ] ? \n no N at all . \n"
)
# What the text is once its marks are at their words again, typed by hand.
DETOKENIZED = (
    "\n= a title =\n\n== a part ==\n\none-two of 1,000 and 0.1, that is "
    "(as n) it said: \"so!\" the cats' tail; [n]?\nno 1 at all.\n"
)
_rng = np.random.default_rng(31)


def _word(most: int) -> str:
    return "".join(_rng.choice(list("abcdef"), _rng.integers(1, most + 1)))


PASSAGES = [" ".join([*(_word(3) for _ in range(count)), _word(1 if number % 2 else 2)])
            for number, count in enumerate(_rng.integers(1, 10, 24))]


def encode(text: str) -> np.ndarray:
    """int64 (n,); KeyError for a character that is not of the alphabet."""
    places = {character: place for place, character in enumerate(ALPHABET)}
    return np.array([places[character] for character in text], np.int64)


def encode_letters(text: str) -> np.ndarray:
    """The same without the spaces: single letters are words that are guessed now and then."""
    return encode(text.replace(" ", ""))


def right_and_wrong(case: Case, outcomes: list[bool]) -> np.ndarray:
    """(passages, 2): neither column may be all zero, or the fixture sees nothing."""
    assert any(outcomes) and not all(outcomes), f"{case.name}: all passages end alike"
    return np.array([[one, not one] for one in outcomes])
