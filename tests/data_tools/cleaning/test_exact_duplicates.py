"""A text that was read before is dropped, also after a restart; no other text is."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.cleaning.exact_duplicates import ExactDuplicate

PIECES = ["a", " a\n", "b", "b c", "b  c", "\u00e9", "", "\n"]
texts = st.lists(st.sampled_from(PIECES), max_size=30)


@settings(max_examples=50, deadline=None)
@given(texts)
def test_drops_what_came_before_white_space_at_the_ends_apart(texts):
    seen, expected = set(), []
    for text in texts:
        expected.append(text.strip() in seen)
        seen.add(text.strip())
    filter = ExactDuplicate()
    assert [filter.drops(text) for text in texts] == expected


@settings(max_examples=30, deadline=None)
@given(texts, st.lists(st.integers(0, 30), max_size=3))
def test_a_restart_anywhere_changes_nothing(texts, restarts):
    through = ExactDuplicate()
    expected = [through.drops(text) for text in texts]
    filter, memory, found = ExactDuplicate(), b"", []
    for number, text in enumerate(texts):
        if number in restarts:
            memory += filter.learnt()
            filter = ExactDuplicate()
            filter.restore(memory)
        found.append(filter.drops(text))
    assert found == expected
    assert memory + filter.learnt() == through.learnt()


def test_learnt_gives_each_kept_text_once():
    filter = ExactDuplicate()
    for text in ["a", "b", "a"]:
        filter.drops(text)
    keys = [hashlib.blake2b(text, digest_size=16).digest() for text in (b"a", b"b")]
    assert [filter.learnt(), filter.learnt()] == [b"".join(keys), b""]


def test_many_texts_are_told_apart():
    filter = ExactDuplicate()
    assert not any(filter.drops(str(i)) for i in range(150_000))
    assert all(filter.drops(str(i)) for i in range(0, 150_000, 10))


def test_a_key_across_the_border_of_two_others_is_not_found(monkeypatch):
    keys = [b"\0\0" + bytes(range(start, start + 14)) for start in (0, 14, 7)]
    filter = ExactDuplicate()
    filter.restore(keys[0] + keys[1])

    class Digest:
        def digest(self):
            return keys[2]

    monkeypatch.setattr(hashlib, "blake2b", lambda *_, **__: Digest())
    assert [filter.drops("x"), filter.drops("x")] == [False, True]
    assert filter.learnt() == keys[2]


def test_cut_memory_is_refused():
    with pytest.raises(ValueError, match="whole keys of 16 bytes, not 17 bytes"):
        ExactDuplicate().restore(bytes(17))
