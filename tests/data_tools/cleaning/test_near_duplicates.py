"""Similar texts are dropped, the first of them kept, and a restart anywhere changes nothing."""

import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.cleaning import near_duplicates
from data_tools.cleaning.near_duplicates import NearDuplicate

rensa = pytest.importorskip("rensa", reason="pip install rensa==0.5.0")


def words(first, count):
    return " ".join(f"word{i}" for i in range(first, first + count))


def verdicts(texts, **given):
    filter = NearDuplicate(**given)
    return [filter.drops(text) for text in texts]


def jaccard(one, other):
    one, other = set(one.split()), set(other.split())
    return len(one & other) / len(one | other)


def test_the_first_of_similar_texts_is_kept():
    similar = words(0, 100) + " changed"  # Jaccard 100/101
    different = words(50, 100)  # Jaccard 50/150
    assert verdicts([words(0, 100), similar, different, similar]) == [False, True, False, True]


def test_only_the_set_of_ascii_words_counts():
    names = [f"name_{i}" for i in range(20)]
    texts = [" ".join(names), "(" + ")+(".join(reversed(names)) + ")", "\u4e2d".join(names * 2)]
    assert verdicts(texts) == [False, True, True]
    assert verdicts([" ".join(names), " ".join(names).replace("_", "-")]) == [False, False]


def test_fewer_than_ten_words_are_left_alone():
    assert verdicts([words(0, 9)] * 2 + [words(0, 10)] * 2) == [False, False, False, True]
    assert verdicts(["a " * 10] * 2) == [False, True]  # ten words, one of them different
    assert verdicts(["\u4e2d\u6587 " * 100] * 2) == [False, False]


def test_compares_with_kept_texts_alone():
    chain = [words(start, 100) for start in range(0, 40, 2)]  # neighbours: Jaccard 98/102
    dropped = verdicts(chain)
    assert not dropped[0] and dropped[1:4] == [True] * 3
    assert 2 <= dropped.count(False) <= 5


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.85, 0.95, 1.0])
def test_pairs_well_over_the_threshold_go_and_pairs_well_under_it_stay(threshold):
    draw, right, pairs = random.Random(0), 0, 60
    over, under = (threshold + 1) / 2, threshold - 0.12
    for number in range(pairs):
        target = over if number % 2 else under
        shared = round(200 * 2 * target / (1 + target))
        pool = [f"w{draw.getrandbits(40)}" for _ in range(400 - shared)]
        one, other = " ".join(pool[:200]), " ".join(pool[200 - shared :])
        assert abs(jaccard(one, other) - target) < 0.01
        right += verdicts([one, other], threshold=threshold) == [False, number % 2 == 1]
    assert right >= pairs - 1


def test_candidates_that_only_share_a_slot_are_kept(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MIN_SLOTS", 1)
    filter = NearDuplicate()
    monkeypatch.setattr(filter, "_slots", lambda s: np.zeros((len(s), 25), np.intp))
    texts = [words(start, 20) for start in range(0, 600, 20)]
    assert not any(filter.drops(text) for text in texts)
    assert all(filter.drops(text) for text in texts)


def test_a_long_chain_is_walked_from_its_newest_end_only(monkeypatch):
    monkeypatch.setattr(near_duplicates, "CHAIN_STEPS", 3)
    filter = NearDuplicate()
    monkeypatch.setattr(filter, "_slots", lambda s: np.zeros((len(s), 25), np.intp))
    texts = [words(start, 20) for start in range(0, 100, 20)]
    assert not any(filter.drops(text) for text in texts)
    assert [filter.drops(text) for text in reversed(texts)] == [True] * 3 + [False] * 2


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(9, 13)), max_size=40),
    st.lists(st.integers(0, 40), max_size=3),
)
def test_a_restart_anywhere_changes_nothing(shapes, restarts):
    texts = [words(first, count) for first, count in shapes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "MIN_SLOTS", 2)  # so that the tables grow
        patch.setattr(near_duplicates, "CHAIN_STEPS", 2)  # so that the chains' order matters
        patch.setattr(near_duplicates, "BLOCK", 3)
        through = NearDuplicate(0.8)
        expected = [through.drops(text) for text in texts]
        filter, memory, found = NearDuplicate(0.8), b"", []
        for number, text in enumerate(texts):
            if number in restarts:
                memory += filter.learnt()
                filter = NearDuplicate(0.8)
                filter.restore(memory)
            found.append(filter.drops(text))
    assert found == expected
    assert memory + filter.learnt() == through.learnt()


def test_learnt_gives_each_kept_text_once():
    filter = NearDuplicate()
    for text in [words(0, 50), words(100, 50), words(0, 50), words(0, 3)]:
        filter.drops(text)
    assert [len(filter.learnt()), len(filter.learnt())] == [2 * 256, 0]


def test_many_texts_are_found_again_through_growing_tables():
    filter = NearDuplicate()
    texts = [words(start, 12) for start in range(0, 36_000, 12)]
    assert not any(filter.drops(text) for text in texts)
    assert all(filter.drops(text) for text in texts[::7])
    again = NearDuplicate()
    again.restore(filter.learnt())
    np.testing.assert_array_equal(again.newest, filter.newest)
    np.testing.assert_array_equal(again.earlier[: again.count], filter.earlier[: again.count])


def test_the_signature_is_pinned():
    """Signatures are stored on disk, so other values would not match those of earlier runs."""
    signature = NearDuplicate(seed=1)._signature(words(0, 20))
    assert signature[:8].tolist() == [203, 22, 140, 12, 235, 59, 196, 28]
    assert (signature == NearDuplicate(seed=2)._signature(words(0, 20))).mean() < 0.1
    assert (signature == NearDuplicate(seed=1 + 2**64)._signature(words(0, 20))).all()


def test_bad_numbers_and_cut_memory_are_refused():
    for threshold in (0.49, 1.01, float("nan")):
        with pytest.raises(ValueError, match="--near_threshold is 0.5 to 1, not"):
            NearDuplicate(threshold)
    with pytest.raises(ValueError, match="whole signatures of 256 bytes, not 100 bytes"):
        NearDuplicate().restore(bytes(100))


def test_without_rensa_or_with_another_one_the_command_is_named(monkeypatch):
    monkeypatch.setattr(near_duplicates, "ALGORITHM", 1)
    with pytest.raises(ValueError, match="has 2: pip install rensa==0.5.0"):
        NearDuplicate()
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(ValueError, match="needs the package rensa: pip install rensa==0.5.0"):
        NearDuplicate()
