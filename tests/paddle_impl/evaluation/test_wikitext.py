"""WikiText: detokenizing, and perplexities by word and by token."""

import math

import numpy as np
import pytest

from paddle_impl.evaluation.wikitext import detokenize, score_text


@pytest.mark.parametrize(("apart", "text"), [
    ("a well @-@ known 10 @,@ 000 at 3 @.@ 5", "a well-known 10,000 at 3.5"),
    ("one , two ; three : four . five ! six ? seven", "one, two; three: four. five! six? seven"),
    ("the dogs ' tail", "the dogs' tail"),
    ("it 's here", "it's here"),
    ("( a b ) [ c ] { d }", "(a b) [c] {d}"),
    ('said " yes " and \' no \'', "said \"yes\" and 'no'"),
    (" \n = Top = \n \n = = Part = = \n \n = = = Low = = = \n",
     "\n= Top =\n\n== Part ==\n\n=== Low ===\n"),
    ("= = = = Deep = = = =", "==== Deep ===="),
    ("20 ° C", "20°C"),
    ("in N years", "in 1 years"),
    ("plain text", "plain text"),
])
def test_marks_go_back_to_their_words(apart, text):
    assert detokenize(apart) == text


def test_brackets_that_nothing_closes_are_left_and_do_not_take_for_ever():
    """A search to the end of the text from each took minutes."""
    opened = "( a [ b " * 100_000
    assert detokenize("{ x }" + opened + "' y '") == "{x}" + opened + "'y'"


def letters(text):
    return np.array([ord(letter) % 5 for letter in text if letter.isalpha()], np.int32)


@pytest.mark.parametrize("moved", [1, 2, 4])
def test_both_perplexities_by_hand(counting, moved):
    # Letters f to j are ids 2 3 4 0 1. Words, with the line's end: fg h " \n" i j.
    result = score_text(counting, " fg h \n ij f \n", letters, window=4, overlapping_eval=moved)
    assert result.original_tokens == len(["fg", "h", "\n", "ij", "f"])
    assert result.tokenized_tokens == 6
    assert result.right == 5
    nats = 5 * math.log(9 / 4)
    assert result.nats == pytest.approx(nats, rel=1e-6)
    assert result.loss == pytest.approx(nats / 5, rel=1e-6)
    assert result.perplexity == pytest.approx(9 / 4, rel=1e-6)
    assert result.adjusted_perplexity == pytest.approx(math.exp(nats / 4), rel=1e-6)
    assert result.accuracy == 1.0


def test_the_end_of_the_text_is_counted_and_weighs_as_much(counting):
    # Three windows; the last, of a single target, is the only one that is wrong.
    result = score_text(counting, "f g h i j f g j", letters, window=4, overlapping_eval=3)
    assert (result.right, result.tokenized_tokens) == (6, 8)
    assert result.nats == pytest.approx(6 * math.log(9 / 4) + math.log(9), rel=1e-6)


@pytest.mark.parametrize("text", ["word", "1 2"])
def test_a_single_token_is_refused(counting, text):
    with pytest.raises(ValueError, match="at least two"):
        score_text(counting, text, letters, window=4, overlapping_eval=2)
