"""Exact match and edit similarity."""

import random

import pytest

from paddle_impl.evaluation.infilling.scores import edit_similarity, exact_match, levenshtein


def textbook(one, other):
    """Wagner and Fischer (1974), cell by cell."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, start=1):
        rows.append([i])
        for j, b in enumerate(other, start=1):
            rows[i].append(min(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
                               rows[i - 1][j - 1] + (a != b)))
    return rows[-1][-1]


@pytest.mark.parametrize(("one", "other", "distance"), [
    ("kitten", "sitting", 3), ("", "", 0), ("abc", "", 3), ("", "abc", 3), ("flaw", "lawn", 2),
    ("intention", "execution", 5), ("abc", "abc", 0), ("é🙂", "e🙂", 1), ("ab", "ba", 2),
])
def test_known_distances(one, other, distance):
    assert levenshtein(one, other) == levenshtein(other, one) == distance


def test_distances_of_many_texts():
    draw = random.Random(4)
    for _ in range(400):
        one, other = ("".join(draw.choices("abc", k=draw.randrange(12))) for _ in range(2))
        assert levenshtein(one, other) == textbook(one, other)


@pytest.mark.parametrize(("answer", "middle", "similarity"), [
    ("kitten", "sitting", 1 - 3 / 7), ("", "", 1.0), ("  \n", "", 1.0), ("", "abc", 0.0),
    ("  return x\n", "return x", 1.0), ("return y", "return x", 1 - 1 / 8), ("xyz", "abc", 0.0),
])
def test_similarity_is_of_the_longer_text_without_white_space_at_its_ends(
        answer, middle, similarity):
    assert edit_similarity(answer, middle) == pytest.approx(similarity, abs=1e-15)


@pytest.mark.parametrize(("answer", "middle", "expected"), [
    ("  return x\n", "return x", True), ("return  x", "return x", False), ("", " \n", True),
    ("Return x", "return x", False), ("return x\n    y", "return x", False),
])
def test_exact_match(answer, middle, expected):
    assert exact_match(answer, middle) is expected
