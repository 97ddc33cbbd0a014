"""How near an answer is to the text that was cut out. White space at both ends does not count."""

import numpy as np


def exact_match(answer: str, middle: str) -> bool:
    return answer.strip() == middle.strip()


def edit_similarity(answer: str, middle: str) -> float:
    """1 - distance / length of the longer text, from 0 to 1; two empty texts are equal.

    The distance is Levenshtein's, so a replaced character costs 1. (The ratio of difflib and of
    rapidfuzz.fuzz, which others report, is another number.)
    """
    one, other = answer.strip(), middle.strip()
    longest = max(len(one), len(other))
    return 1.0 - levenshtein(one, other) / longest if longest else 1.0


def levenshtein(one: str, other: str) -> int:
    """The fewest characters to insert, remove or replace so that one text becomes the other."""
    codes = np.array(list(map(ord, other)), np.int64)
    steps = np.arange(len(other) + 1)
    row = steps  # distances of the beginnings of `other` from a beginning of `one`
    for count, character in enumerate(one, start=1):
        removed, replaced = row[1:] + 1, row[:-1] + (codes != ord(character))
        row = np.concatenate([[count], np.minimum(removed, replaced)])
        row = np.minimum.accumulate(row - steps) + steps  # characters inserted from any place on
    return int(row[-1])
