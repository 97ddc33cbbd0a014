"""From a judge's reply to a score, and from scores to their mean and its interval.

A reply counts as

    85                   an integer alone, perhaps with marks around it: "85", **85**, 85.
    85/100               alone, or as the only n/100 in a text; also 85 out of 100, alone
    ... Score: 85 ...    the last one of several, in any case; also Score: 85/100 and "score": 85

and nothing else does: numbers with a fraction, outside of 0 to 100, on another scale (8/10), in a
range (85-90) or in a sentence are no scores, since any reading of them would be a guess. What
stands before </think> is not looked at.
"""

import re
from statistics import fmean

import numpy as np

DRAWS = 10_000  # of the bootstrap

_MARKS = "\"'`*_“”"
# A number as it stands, with what makes it another than an integer from 0 to 100.
_NUMBER = r"([-+−]?[0-9](?:[^\s/\"'`*_“”|)\]}]*[^\s/\"'`*_“”|)\]}.,;:!])?)"
_SCALE = rf"(?:[{_MARKS}]*\s*(?:/|out\s+of\b)\s*[{_MARKS}]*([^\s{_MARKS}]*[0-9%]))?"
_ALONE = re.compile(rf"[\s{_MARKS}]*{_NUMBER}{_SCALE}[\s.{_MARKS}]*")
_NAMED = re.compile(
    rf"(?<![^\W_])score[{_MARKS}]*\s*[:：][\s{_MARKS}]*{_NUMBER}{_SCALE}"
    r"(\s*(?:[-–—~]|to|or|and)\s*[0-9]+)?",
    re.IGNORECASE)
_OF_100 = re.compile(rf"(?<![^\s({_MARKS}:=]){_NUMBER}[{_MARKS}]*\s*/\s*100(?![\w/]|[.,][0-9])")


def score_of(reply: str) -> int:
    """The score that a reply gives; ValueError, which says why, where it gives none."""
    text = reply.rpartition("</think>")[2]
    if not text.strip():
        raise ValueError("the reply is empty")
    if alone := _ALONE.fullmatch(text):
        return _checked(alone[1], alone[2])
    if named := [*_NAMED.finditer(text)]:
        last = named[-1]
        if last[3]:
            raise ValueError(f"{last[1]}{last[3]} is a range")
        return _checked(last[1], last[2])
    of_100 = {found[1] for found in _OF_100.finditer(text)}
    if len(of_100) == 1:
        return _checked(of_100.pop())
    if of_100:
        raise ValueError("the reply has several numbers of 100")
    raise ValueError("neither an integer alone nor n/100 nor score: n")


def _checked(number: str, scale: str | None = None) -> int:
    shown = number[:40]
    if scale not in (None, "100"):
        raise ValueError(f"{shown}/{scale[:40]} is on another scale than 0 to 100")
    if not re.fullmatch(r"\+?[0-9]+", number):
        raise ValueError(f"{shown} is no integer from 0 to 100")
    if len(number) > 9 or int(number) > 100:
        raise ValueError(f"{shown} lies outside of 0 to 100")
    return int(number)


def mean_of(scores: list[int]) -> float:
    """The mean of one or more scores."""
    return fmean(scores)


def interval_of(scores: list[int], seed: int) -> tuple[float, float] | None:
    """Where the mean lies with 95 %: percentiles of means of DRAWS samples with replacement.

    None for fewer than two scores, which do not tell how far scores lie apart. Unlike an interval
    of a normal distribution it never leaves 0 to 100.
    """
    if len(scores) < 2:
        return None
    rng, values = np.random.default_rng(seed), np.array(scores, dtype=np.float64)
    rows = max(1, 1_000_000 // len(scores))  # samples at once, which bounds the memory
    means = np.concatenate([
        rng.choice(values, (min(rows, DRAWS - begun), len(scores))).mean(axis=1)
        for begun in range(0, DRAWS, rows)])
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
