"""Preferences become pairs of ids: masks, truncation, and what is left out."""

import numpy as np
import pytest

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.pairs import encode_pairs
from data_tools.instructions.prompts import instruction_text, prompt_text
from data_tools.instructions.records import (
    Conversation,
    Instruction,
    Message,
    Preference,
    read_preferences,
)
from data_tools.instructions.templates import TEMPLATES
from data_tools.tokenizing.tokenizer import Tokenizer

BYTES = Tokenizer.byte_level()
END = BYTES.eos_token_id
ASKED = Instruction("Say it.", "now", "", "x.json, record 1")


def pair(chosen="Yes, please.", rejected="No!", prompt=ASKED, place="x.json, record 1"):
    return Preference(prompt, chosen, rejected, place)


def text(ids) -> str:
    return BYTES.decode([one for one in map(int, ids) if one != END])


@pytest.mark.parametrize("style", ["alpaca", "phi3"])
def test_prompt_and_response_are_apart_and_the_end_token_belongs_to_the_response(style):
    ((one,),) = [encode_pairs([pair()], Encoder(BYTES, style), 1024).pairs]
    prompt = prompt_text(style, "Say it.", "now")
    assert one.start == len(prompt)
    for ids, answer in ((one.chosen, "Yes, please."), (one.rejected, "No!")):
        assert text(ids[: one.start]) == prompt and text(ids[one.start :]) == answer
        assert ids[-1] == END and END not in ids[:-1]


def test_a_chat_template_tells_where_the_last_answer_begins_and_ends():
    tokenizer = BYTES.with_added_tokens(["<|im_start|>", "<|im_end|>"])
    talk = Conversation((Message("user", "Q1"), Message("assistant", "A1"), Message("user", "Q2")),
                        "x.json, record 1")
    (one,) = encode_pairs([pair("B", "CC", talk)], Encoder(tokenizer, "chat", TEMPLATES["chatml"]),
                          1024).pairs
    stop = tokenizer.special_tokens["<|im_end|>"]
    assert tokenizer.decode(one.chosen[one.start : -1]) == "B" and one.chosen[-1] == stop
    assert tokenizer.decode(one.rejected[one.start : -1]) == "CC" and one.rejected[-1] == stop
    before = tokenizer.decode(one.chosen[: one.start])
    assert "Q1" in before and "A1" in before and before.endswith("assistant\n")


def test_the_legacy_form_counts_the_header_and_no_end_token():
    (one,) = encode_pairs([pair()], Encoder(BYTES, "alpaca"), 1024, legacy=True).pairs
    assert one.start == len(instruction_text("alpaca", "Say it.", "now")) + 2
    assert text(one.chosen[one.start :]) == "### Response:\nYes, please."
    assert END not in one.chosen


def test_both_sides_keep_the_same_end_of_a_prompt_that_is_too_long():
    found = encode_pairs([pair("a" * 9, "b" * 4)], Encoder(BYTES, "alpaca"), 40)
    (one,) = found.pairs
    prompt = prompt_text("alpaca", "Say it.", "now")
    assert text(one.chosen) == prompt[-30:] + "a" * 9 and one.chosen[-1] == END
    assert text(one.rejected) == prompt[-30:] + "b" * 4 and one.rejected[-1] == END
    assert one.start == 30 and found.cut == ["x.json, record 1"]
    (kind, message), = found.events("training")
    assert kind == "cut" and message == (
        "1 of 1 pairs of the training part are longer than --max_seq_length: x.json, record 1")


def test_a_response_that_is_too_long_loses_its_end_and_leaves_half_to_the_prompt():
    (one,) = encode_pairs([pair("a" * 90, "b" * 4)], Encoder(BYTES, "alpaca"), 40).pairs
    assert one.start == 20 and text(one.chosen[20:]) == "a" * 20 and END not in one.chosen
    assert text(one.rejected[20:]) == "b" * 4 and one.rejected[-1] == END
    assert text(one.chosen[:20]) == prompt_text("alpaca", "Say it.", "now")[-20:]


def test_what_just_fits_is_not_cut():
    length = len(prompt_text("alpaca", "Say it.", "now")) + len("Yes, please.") + 1
    found = encode_pairs([pair()], Encoder(BYTES, "alpaca"), length)
    assert not found.cut and len(found.pairs[0].chosen) == length


def test_pairs_that_teach_nothing_are_left_out_and_counted():
    records = [pair(place="r1"), pair("", place="r2"), pair(rejected=" \n", place="r3"),
               pair("same", "same", place="r4"), pair("e", "e", place="r5"),
               pair("a" * 90 + "x", "a" * 90 + "y", place="r6")]
    found = encode_pairs(records, Encoder(BYTES, "alpaca"), 40)
    assert found.places == ["r1"] and len(found.pairs) == 1
    assert found.left_out == {
        "chosen is empty": ["r2"], "rejected is empty": ["r3"],
        "chosen equals rejected": ["r4", "r5"], "chosen equals rejected in its tokens": ["r6"]}
    assert ("dropped", "2 of 6 pairs of the test part, because chosen equals rejected: r4; r5"
            ) in found.events("test")


def test_a_legacy_pair_of_which_no_response_is_left_is_left_out():
    found = encode_pairs([pair()], Encoder(BYTES, "alpaca"), 60, legacy=True)
    assert [*found.left_out] == ["nothing of a response is left in --max_seq_length tokens"]


def test_a_conversation_needs_a_chat_template():
    talk = Conversation((Message("user", "Q"),), "x.jsonl, line 7")
    for legacy in (False, True):
        with pytest.raises(ValueError, match=r"x\.jsonl, line 7: .*(conversation|messages)"):
            encode_pairs([pair("a", "b", talk, talk.place)], Encoder(BYTES, "alpaca"), 99, legacy)


def test_a_template_with_another_prompt_for_each_answer_is_refused():
    template = ("{% for m in messages %}{% if m.role == 'user' %}{{ messages[-1].content }}"
                "{% else %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}"
                "{% endfor %}")
    with pytest.raises(ValueError, match="writes another prompt before `chosen`"):
        encode_pairs([pair()], Encoder(BYTES, "chat", template), 99)


def test_many_places_are_not_all_named():
    records = [pair("same", "same", place=f"r{number}") for number in range(8)]
    ((_, message),) = encode_pairs(records, Encoder(BYTES, "alpaca"), 99).events("test")
    assert message.endswith("r0; r1; r2; r3; r4; and 3 more")


def test_the_shared_pairs(gpt2_dir, instruct_dir):
    records = read_preferences(instruct_dir / "instruction-data-with-preference.json")
    encoder = Encoder(Tokenizer.load(gpt2_dir), "alpaca")
    for legacy in (False, True):
        found = encode_pairs(records, encoder, 1024, legacy)
        (places,) = found.left_out.values()
        assert [int(place.rpartition(" ")[2]) - 1 for place in places] == [
            122, 226, 400, 566, 628, 676]
        assert len(found.pairs) == 1094 and not found.cut
    newlines = [encoder.tokenizer.encode("\n\n###")[:2].tolist()]
    assert newlines == [[198, 198]]
    for one in found.pairs:  # legacy: "### Response:" follows two new lines in all of them
        for ids in one[:2]:
            assert ids[one.start - 2 : one.start].tolist() == [198, 198]
            np.testing.assert_array_equal(ids[: one.start], one.chosen[: one.start])
