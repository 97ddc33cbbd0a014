"""Streamed text has whole characters, holds back and cuts stop strings, and loses nothing."""

import random

import pytest

from paddle_impl.decoding.stop_strings import StopStrings
from paddle_impl.decoding.text import Text


def decode(ids):
    return bytes(ids)


def fed(data: bytes, *stop: str, size: int = 1) -> tuple[Text, list[str]]:
    """A text of tokens of `size` bytes, and what it returned after each."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    text, given = Text(lambda ids: pieces[next(iter(ids))], StopStrings(stop)), []
    for number in range(len(pieces)):
        ended = text.add(number)
        given.append(text.take())
        if ended:
            break
    given.append(text.take(last=True))
    return text, given


def test_a_character_waits_for_its_bytes():
    _, given = fed("aé€".encode())
    assert given == ["a", "", "é", "", "", "€", ""]


def test_what_is_no_text_becomes_the_sign_for_it():
    text, given = fed(b"a\xffb\xc3")
    assert "".join(given) == str(text) == "a\ufffdb\ufffd"


def test_what_may_begin_a_stop_string_waits():
    _, given = fed(b"x\n\ny\n", "\n\n\n")
    assert given == ["x", "", "", "\n\ny", "", "\n"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_stop_string_that_is_complete_first_ends_it(size):
    text, given = fed(b"one two three", "two t", "ee", "wo", size=size)
    assert text.stopped and str(text) == "".join(given) == "one t"


def test_a_stop_string_in_the_middle_of_a_character_never_happens():
    text, given = fed("a€b".encode(), "b")
    assert "".join(given) == str(text) == "a€"


def test_a_stop_string_that_may_not_end_the_text_stays_in_it():
    text = Text(decode, StopStrings(["ab", "bc", "d"]))
    for byte, may_stop in ((b"a", True), (b"b", False), (b"d", False)):
        assert not text.add(byte[0], may_stop)
    assert not text.add(ord("b"))
    assert text.take() == "abd"
    assert text.add(ord("c")) and str(text) == "abd"


def test_a_stop_string_may_begin_where_none_may_end():
    text = Text(decode, StopStrings(["abc"]))
    assert not text.add(ord("a"), False) and not text.add(ord("b"), False)
    assert text.add(ord("c")) and str(text) == text.take() == ""


def test_without_a_stop_nothing_is_held():
    text, given = fed(b"abc")
    assert not text.stopped and given == ["a", "b", "c", ""]


def test_pieces_make_the_whole_whatever_the_tokens():
    rng = random.Random(0)
    for _ in range(300):
        data = "".join(rng.choices("ab\né€😀", k=30)).encode()
        data = data[: rng.randrange(len(data))]  # may end inside a character
        stop = tuple("".join(rng.choices("ab\né€", k=rng.randint(1, 3))) for _ in range(2))
        text, given = fed(data, *stop, size=rng.randint(1, 4))
        whole = data.decode("utf-8", errors="replace")
        ends = [(whole.find(one) + len(one), whole.find(one)) for one in stop if one in whole]
        expected = whole[: min(ends)[1]] if ends else whole
        assert "".join(given) == str(text) == expected
        assert text.stopped == bool(ends)
