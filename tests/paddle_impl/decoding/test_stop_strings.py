"""Stop strings are found where a search would find them, with work linear in their bytes."""

import random
import sys

import pytest

from paddle_impl.decoding.stop_strings import StopStrings
from paddle_impl.decoding.text import Text


def states(stops: StopStrings, text: bytes) -> list[int]:
    found, state = [], 0
    for byte in text:
        state = stops.step(state, byte)
        found.append(state)
    return found


def test_a_state_is_the_longest_beginning_and_the_longest_stop_string():
    rng = random.Random(1)
    for _ in range(200):
        texts = ["".join(rng.choices("aé", k=rng.randint(1, 6))) for _ in range(rng.randint(0, 5))]
        text = "".join(rng.choices("aé", k=40)).encode()
        stops, encoded = StopStrings(texts), [one.encode() for one in texts]
        for end, state in enumerate(states(stops, text), start=1):
            assert stops.length[state] == max(
                (length for one in encoded for length in range(1, len(one) + 1)
                 if text[:end].endswith(one[:length])), default=0)
            assert stops.complete[state] == max(
                (len(one) for one in encoded if text[:end].endswith(one)), default=0)


def look_ups(action) -> int:
    """How often `action` looks something up in a dict by `get`."""
    count = 0

    def watch(frame, event, function):
        nonlocal count
        count += event == "c_call" and function.__name__ == "get"

    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


LONG = {
    "one letter and another": ["a" * 5000 + last for last in "bcde"],
    "each a letter longer": ["a" * length + "b" for length in range(100)],
    "endings of each other": ["ab" * 2500 + "c", "ba" * 2500, "b" * 5000],
}


@pytest.mark.parametrize("texts", LONG.values(), ids=LONG)
def test_look_ups_are_linear_in_the_bytes(texts):
    made = []
    assert 0 < look_ups(lambda: made.append(StopStrings(texts))) <= 2 * sum(map(len, texts))
    text = b"a" * 4999 + b"ab" * 2000 + b"aab" * 1000 + b"x"
    assert len(text) <= look_ups(lambda: states(made[0], text)) <= 2 * len(text)


def test_a_streamed_text_is_followed_once():
    text = Text(lambda ids: b"a" * 8, StopStrings(["a" * 50_000 + last for last in "bcde"]))

    def stream():
        for token in range(2000):
            assert not text.add(token)
            assert text.take() == ""

    assert look_ups(stream) <= 2 * 8 * 2000
    assert text.take(last=True) == "a" * 16_000
