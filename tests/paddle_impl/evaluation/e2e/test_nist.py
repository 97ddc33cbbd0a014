import math

import pytest

from paddle_impl.evaluation.e2e.nist import nist


def score(*instances):
    return nist((output.split(), [text.split() for text in references])
                for output, *references in instances)


def test_information_of_words_and_of_the_words_before_them():
    # a and b are 2 of 4 words each: one bit a word. Of the two "a b", a is followed by b: no bits.
    assert score(("a b", "a b", "b a")) == pytest.approx(1.0 + 1.0)
    # b follows one of two a's: one bit. One of the two words is known.
    assert score(("a x", "a b", "a c")) == pytest.approx(0.5)
    assert score(("a b", "a b", "a c")) == pytest.approx((1.0 + 2.0) / 2 + 1.0)


def test_the_penalty_of_short_outputs():
    # Two thirds of the mean length cost half: log2(6/2) bits a word, of the pair log2(2/2) = 0.
    assert score(("a b", "a b c", "a b c")) == pytest.approx(0.5 * math.log2(3.0))
    assert score(("a b c", "a b c", "a b c")) == pytest.approx(math.log2(3.0))
    assert score(("a b c d", "a b c", "a b c")) == pytest.approx(0.75 * math.log2(3.0))


def test_a_word_counts_as_often_as_one_reference_has_it():
    assert score(("a a", "a b", "b a")) == pytest.approx(0.5)


def test_short_and_empty_outputs():
    assert score(("", "a b"), ("", "c")) == 0.0
    assert score(("a", "a"), ("", "b")) == pytest.approx(math.exp(-math.log(2.0) ** 3
                                                                  / math.log(1.5) ** 2))
    # An output of one word has no pairs, and takes none from the count of others.
    assert score(("a b", "a b"), ("c", "c")) == pytest.approx(math.log2(3.0))
