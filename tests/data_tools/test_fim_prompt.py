"""The prompt of a gap: the order of training without the middle, and what is cut where it is long.
"""

import numpy as np
import pytest

from data_tools.fim import arranged
from data_tools.fim_prompt import FimPrompts
from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer

BYTES = Tokenizer.byte_level().with_added_tokens(FIM_TOKENS)
PREFIX, MIDDLE, SUFFIX, PAD = range(257, 261)


@pytest.mark.parametrize(("mode", "expected"), [
    ("psm", [PREFIX, *b"ab", SUFFIX, *b"cd", MIDDLE]),
    ("spm", [PREFIX, SUFFIX, *b"cd", MIDDLE, *b"ab"]),
])
def test_a_prompt_is_a_training_document_up_to_its_middle(mode, expected):
    found = FimPrompts(BYTES).prompt("ab", "cd", 99, mode=mode)
    assert found == (expected, (0, 0))
    tokens = tuple(BYTES.special_tokens[token] for token in FIM_TOKENS[:3])
    parts = [BYTES.encode(text) for text in ("ab", "the middle", "cd")]
    document = arranged(*parts, mode == "spm", tokens).tolist()
    assert document == [*expected, *b"the middle"]


def test_the_beginning_of_a_middle_and_what_stands_in_front():
    prompts = FimPrompts(BYTES)
    assert prompts.prompt("a", "c", 99, begun="b", front=[7]).ids == [
        7, PREFIX, *b"a", SUFFIX, *b"c", MIDDLE, *b"b"]
    assert prompts.prompt("a", "c", 99, begun="b", mode="spm").ids == [
        PREFIX, SUFFIX, *b"c", MIDDLE, *b"ab"]
    assert prompts.prompt("", "", 3).ids == [PREFIX, SUFFIX, MIDDLE]


def test_parts_are_encoded_one_by_one(tokenizer):
    """Joined they would have other tokens, which no training document has at a cut."""
    infilling = tokenizer.with_added_tokens(FIM_TOKENS)
    one, other = "def f", "oo(self):\n    return"
    ids = FimPrompts(infilling).prompt(one, other, 99).ids
    assert ids[1:-1] == [*infilling.encode(one), infilling.special_tokens["<fim_suffix>"],
                         *infilling.encode(other)]


def test_a_text_that_spells_a_control_token_is_text():
    text = "".join(FIM_TOKENS) + "<|endoftext|>"
    ids = FimPrompts(BYTES).prompt(text, text, 999, begun=text).ids
    assert [i for i in ids if i > 255] == [PREFIX, SUFFIX, MIDDLE]


@pytest.mark.parametrize(("before", "behind", "kept"), [
    (40, 40, (15, 5)), (4, 40, (4, 16)), (40, 2, (18, 2)), (10, 10, (10, 10)), (11, 10, (11, 9)),
    (0, 40, (0, 20)), (40, 0, (20, 0)),
])
def test_what_is_too_long_loses_its_far_ends(before, behind, kept):
    """20 tokens are for both, a fourth of them for the suffix where both are long."""
    prefix, suffix = bytes(range(before)), bytes(range(64, 64 + behind))
    ids, cut = FimPrompts(BYTES).prompt(prefix.decode(), suffix.decode(), 23)
    assert ids == [PREFIX, *prefix[before - kept[0]:], SUFFIX, *suffix[:kept[1]], MIDDLE]
    assert cut == (before - kept[0], behind - kept[1]) and len(ids) <= 23


def test_no_room_at_all():
    with pytest.raises(ValueError, match="has 7 tokens without prefix and suffix; at most 6"):
        FimPrompts(BYTES).prompt("a", "b", 6, begun="mid", front=[1])


def test_all_control_tokens_end_a_middle():
    assert FimPrompts(BYTES).end_tokens == (PREFIX, MIDDLE, SUFFIX, PAD)
    without_pad = Tokenizer.byte_level().with_added_tokens(FIM_TOKENS[:3])
    assert FimPrompts(without_pad).end_tokens == (PREFIX, MIDDLE, SUFFIX)


def test_a_tokenizer_without_the_tokens_is_refused_by_name():
    with pytest.raises(ValueError, match="no <fim_prefix> <fim_middle> <fim_suffix>: train on dat"):
        FimPrompts(Tokenizer.byte_level())
    with pytest.raises(ValueError, match="no <fim_suffix>: train"):
        FimPrompts(Tokenizer.byte_level().with_added_tokens(FIM_TOKENS[:2]))


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        FimPrompts(BYTES).prompt("a", "\udcff", 99)


def test_ids_are_whole_numbers_of_python():
    ids = FimPrompts(BYTES).prompt("a", "b", 99, front=[np.int64(3).item()]).ids
    assert {type(i) for i in ids} == {int}
