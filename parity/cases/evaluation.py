"""The fixtures of evaluation: a text in WikiText's form, passages, and a vocabulary for them.

Each character is a token; passages are encoded without their spaces. Ids from VOCABULARY on are
padding.
"""

import numpy as np

from parity.cases import Case
from parity.compare import Point, Trace

ALPHABET = " abcdefghijklmnopqrstuvwxyz\n=-.,:;!?'\"()[]01N@"
VOCABULARY = len(ALPHABET)
# Small, so that a model of random weights chooses the last word of some passages.
FEW = 7
# The text's windows overlap, and the last is shorter. Some passages are longer than their window.
WINDOW, MOVED, PASSAGE_WINDOW = 32, 9, 16

WIKITEXT = (
    " \n = a title = \n \n = = a part = = \n \n one @-@ two of 1 @,@ 000 and 0 @.@ 1 , that is "
    "( as n ) it said : \" so ! \" the cats ' tail ; [ n ] ? \n no N at all . \n"
)
# The same text after detokenizing, typed by hand. wikitext_detokenizer of lm-eval 0.4.13 gives it.
DETOKENIZED = (
    "\n= a title =\n\n== a part ==\n\none-two of 1,000 and 0.1, that is "
    "(as n) it said: \"so!\" the cats' tail; [n]?\nno 1 at all.\n"
)
# Nats, tokens, tokens that were the likeliest, bytes and words of documents, all made up; nats of a
# passage's last word, and whether it was predicted.
COUNTED = ((61.25, 23, 9, 101, 17), (7.5, 5, 2, 19, 3), (190.875, 64, 30, 277, 44))
COUNTED_PASSAGES = ((2.25, 0), (0.375, 1), (5.5, 0), (0.125, 1), (1.0, 1), (3.0, 0), (0.0625, 1))
# What the functions of lm-eval 0.4.13 (lm_eval/api/metrics.py, the wheel on PyPI) compute of them:
# bits_per_byte, weighted_perplexity by tokens and by words, mean; perplexity and mean of passages.
LM_EVAL: Trace = {
    Point(0, "score", name): np.asarray(value) for name, value in {
        "bits per byte": 0.94347531483828, "perplexity": 16.810620672710503,
        "word perplexity": 57.779880393323005, "accuracy": 0.44565217391304346,
        "LAMBADA's perplexity": 5.8062131179378405, "LAMBADA's accuracy": 0.5714285714285714,
    }.items()
}
_rng = np.random.default_rng(31)


def _word(most: int) -> str:
    return "".join(_rng.choice(list("abcdef"), _rng.integers(1, most + 1)))


PASSAGES = [" ".join([*(_word(3) for _ in range(count)), _word(1 if number % 2 else 2)])
            for number, count in enumerate(_rng.integers(1, 10, 24))]


def encode(text: str) -> np.ndarray:
    """Ids (n,), int64; KeyError for a character that is not in ALPHABET."""
    places = {character: place for place, character in enumerate(ALPHABET)}
    return np.array([places[character] for character in text], np.int64)


def encode_letters(text: str) -> np.ndarray:
    """Ids without the spaces, so that a last word may be one token, which is often guessed."""
    return encode(text.replace(" ", ""))


def two_bytes_a_token(ids: np.ndarray) -> bytes:
    """The text of tokens, of which each is spelled with two bytes."""
    return ids.astype("<u2").tobytes()


def ends(case: Case, name: str, right: list[bool], nats: list[float]) -> Trace:
    """Whether each passage's word is right, or wrong, and its score; AssertionError if all are
    alike.

    name: of the logits' spread. Where it is large a word's nats are a small difference of large
    logits, which is ill conditioned, so that only the sum over all passages is compared.
    """
    assert any(right) and not all(right), f"{case.name}: all passages end alike"
    scores = {f"all passages{name}": sum(nats)} if name else {
        f"passage {number}": one for number, one in enumerate(nats)}
    trace = {Point(0, "score", at): np.asarray(-one) for at, one in scores.items()}
    ended = np.array([[one, not one] for one in right])
    return trace | {Point(0, "ended", f"right, wrong{name}"): ended}
