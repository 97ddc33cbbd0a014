"""Each kind of record is read field by field, and a malformed one is named with its field."""

import json
import re

import pytest

from data_tools.instructions.records import (
    Conversation,
    Instruction,
    Message,
    Preference,
    example_of,
    preference_of,
    read_instructions,
    read_preferences,
)

USER, ANSWER = Message("user", "Q"), Message("assistant", "A")
ASKED = {"role": "user", "content": "Q"}
ANSWERED = {"role": "assistant", "content": "A"}
TALK = [{"role": "system", "content": ""}, ASKED, ANSWERED, {"role": "user", "content": "R"}]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.parquet"])
def test_instructions_are_read(written, name):
    path = written(name, [{"instruction": "I", "input": "", "output": "O", "other": 1},
                          {"instruction": "J", "input": None, "output": " "},
                          {"instruction": "K", "input": "N\n", "output": ""}])
    first, second, third = read_instructions(path)
    word = {"x.json": "record", "x.jsonl": "line", "x.parquet": "row"}[name]
    assert first == Instruction("I", "", "O", f"{path}, {word} 1")
    assert second == Instruction("J", "", " ", f"{path}, {word} 2")
    assert third == Instruction("K", "N\n", "", f"{path}, {word} 3")
    assert first.messages == (Message("user", "I"), Message("assistant", "O"))
    assert third.messages == (Message("user", "K\nN\n"),)
    assert [record.problem for record in (first, second, third)] == [
        None, "output is empty", "output is empty"]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.parquet"])
def test_conversations_are_read(written, name):
    rows = [{"messages": TALK}, {"messages": TALK[1:]}, {"messages": [ASKED]}]
    found = read_instructions(written(name, rows))
    assert found[0].messages == (Message("system", ""), USER, ANSWER, Message("user", "R"))
    assert [record.messages for record in found[1:]] == [found[0].messages[1:], (USER,)]
    assert [record.problem for record in found] == [None, None, "no message of the assistant"]


def test_conversations_of_sharegpt(written):
    turns = [("system", "S"), ("human", "Q"), ("gpt", "A")]
    rows = [{"id": 3, "conversations": [{"from": who, "value": said} for who, said in turns]},
            {"conversations": [ASKED, ANSWERED]},
            {"conversations": [{"from": None, "value": None} | ASKED]},
            {"instruction": "I", "output": "O"}]
    path = written("x.jsonl", rows)
    assert read_instructions(path) == [
        Conversation((Message("system", "S"), USER, ANSWER), f"{path}, line 1"),
        Conversation((USER, ANSWER), f"{path}, line 2"), Conversation((USER,), f"{path}, line 3"),
        Instruction("I", "", "O", f"{path}, line 4")]


def test_an_answer_that_is_blank_is_a_problem_where_all_are():
    def blank(*answers):
        turns = [turn for text in answers for turn in (ASKED, ANSWERED | {"content": text})]
        return example_of("p", {"messages": turns}).problem

    assert blank("", "\n") == "each message of the assistant is empty"
    assert blank("", "A") is None


TURNS = "user and assistant take turns, a system message may come first"


@pytest.mark.parametrize(("row", "told"), [
    ({"output": "O"}, "instruction is missing, expected a text that is not blank"),
    ({"instruction": "I"}, "output is missing, expected a text"),
    ({"instruction": " ", "output": "O"}, "instruction is ' ', expected a text that is not blank"),
    ({"instruction": None, "output": "O"}, "instruction is null, expected a text"),
    ({"instruction": "I", "output": 5}, "output is 5, expected a text"),
    ({"instruction": "I", "output": None}, "output is null, expected a text"),
    ({"instruction": "I", "output": "O", "input": ["N"]}, "input is a list of 1, expected a text"),
    ({"instruction": "I", "output": "O\ud83d"}, "output has half of a surrogate pair as"),
    ({"text": "T", "label": 1}, "expected the fields instruction and output, or messages, or "
                                "conversations, got text, label"),
    ({}, "conversations, got none"),
    ({"messages": None}, "messages is null, expected a list of messages"),
    ({"messages": []}, "messages is a list of 0, expected a list of messages"),
    ({"conversations": {"a": 1}}, "conversations is an object, expected a list of messages"),
    ({"messages": [ASKED, "A"]}, "messages[1] is 'A', expected an object with role and content"),
    ({"messages": [{"content": "Q"}]}, "messages[0].role is missing, expected a text"),
    ({"messages": [{"role": "user"}]}, "messages[0].content is missing, expected a text"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content is '', expected a text "
                                                      "that is not blank"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]},
     "messages[0].content is a list of 1, expected a text"),
    ({"messages": [{"role": "tool", "content": "Q"}]},
     "messages[0].role is 'tool', expected one of system, user, assistant"),
    ({"messages": [{"role": "human", "content": "Q"}]}, "messages[0].role is 'human', expected"),
    ({"conversations": [{"from": "bing", "value": "Q"}]},
     "conversations[0].from is 'bing', expected one of system, human, user, gpt, assistant"),
    ({"conversations": [{"from": "human", "content": "Q"}]}, "conversations[0].value is missing"),
    ({"messages": [ANSWERED]}, f"messages[0] is of the assistant, expected the user: {TURNS}"),
    ({"messages": [ASKED, ASKED]}, f"messages[1] is of the user, expected the assistant: {TURNS}"),
    ({"messages": [ASKED, TALK[0]]}, "messages[1] is of the system, expected the assistant: "),
    ({"messages": [ASKED, ANSWERED, ANSWERED]}, "messages[2] is of the assistant, expected"),
    ({"instruction": "I", "output": "O", "system": "S"}, "system is 'S', and is read only"),
    ({"instruction": "I", "output": "O", "history": [["Q", "A"]]}, "history is a list of 1, and"),
    ({"conversations": [ASKED, ANSWERED], "system": "S"}, "system is 'S', and is read only as"),
    ({"messages": TALK[:1]}, "messages has no message of the user"),
    ({"messages": [ASKED, {"role": "assistant", "content": "\udc00"}]},
     "messages[1].content has half of a surrogate pair as character 0"),
])
def test_a_malformed_record_is_named_with_its_field(written, row, told):
    good = {"instruction": "I", "output": "O"}
    path = written("x.jsonl", [good, row])
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 2: ") + ".*" + re.escape(told)):
        read_instructions(path)
    path = written("x.json", [good, good, row])
    with pytest.raises(ValueError, match=re.escape(f"{path}, record 3: ")):
        read_instructions(path)


def test_a_system_message_beside_the_messages_that_have_one():
    row = {"messages": TALK, "system": "S", "history": None}
    assert example_of("p", row).messages[0] == Message("system", "")
    assert preference_of("p", {"prompt": TALK, "system": "S"} | PLAIN).prompt.messages[1] == USER
    assert example_of("p", {"instruction": "I", "output": "O", "system": "", "history": []})


PLAIN = {"chosen": "C", "rejected": "R"}


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.parquet"])
def test_preferences_with_an_instruction(written, name):
    rows = [{"instruction": "I", "input": "N", "output": "O"} | PLAIN,
            {"instruction": "J", "input": "", "output": ""} | PLAIN]
    found = read_preferences(written(name, rows))
    places = [pair.place for pair in found]
    assert found == [
        Preference(Instruction("I", "N", "", places[0]), "C", "R", places[0]),
        Preference(Instruction("J", "", "", places[1]), "C", "R", places[1])]
    assert places[1].endswith(" 2")


def test_preferences_with_a_prompt():
    place = "p"
    chosen, rejected = ANSWERED, ANSWERED | {"content": "B"}
    whole = {"chosen": [ASKED, chosen], "rejected": [ASKED, rejected]}
    as_text = Preference(Instruction("Q", "", "", place), "A", "B", place)
    as_messages = Preference(Conversation((USER,), place), "A", "B", place)
    for row, pair in [
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, as_text),
        ({"prompt": "Q", "chosen": [chosen], "rejected": [rejected]}, as_text),
        ({"prompt": [ASKED], "chosen": "A", "rejected": "B"}, as_messages),
        ({"prompt": [ASKED], "chosen": [chosen], "rejected": [rejected]}, as_messages),
        (whole, as_messages),
        (whole | {"prompt": "Q"}, as_messages),
        (whole | {"prompt": [ASKED]}, as_messages),
    ]:
        assert preference_of(place, row) == pair, row
    talk = preference_of(place, {"prompt": TALK, "chosen": "A", "rejected": "B"}).prompt
    assert [message.content for message in talk.messages] == ["", "Q", "A", "R"]


def test_pairs_that_nothing_can_be_learned_from():
    def problem(chosen, rejected):
        return preference_of("p", {"prompt": "Q", "chosen": chosen, "rejected": rejected}).problem

    assert problem("A", "B") is None
    assert problem("A", "A ") is None
    assert problem("A", "A") == "chosen equals rejected"
    assert problem(" ", "A") == "chosen is empty"
    assert problem("A", "") == "rejected is empty"


@pytest.mark.parametrize(("row", "told"), [
    ({"prompt": "Q", "chosen": "A"}, "rejected is missing, expected a text"),
    ({"prompt": "Q", "rejected": "A"}, "chosen is missing, expected a text"),
    ({"prompt": "Q", "chosen": 1, "rejected": "A"}, "chosen is 1, expected a text"),
    ({"prompt": "Q", "chosen": "A", "rejected": None}, "rejected is null, expected a text"),
    ({"prompt": 5} | PLAIN, "prompt is 5, expected a text that is not blank"),
    ({"prompt": ""} | PLAIN, "prompt is '', expected a text that is not blank"),
    ({"instruction": "", "input": ""} | PLAIN, "instruction is '', expected a text"),
    ({"instruction": "I", "input": 5} | PLAIN, "input is 5, expected a text"),
    ({"question": "Q"} | PLAIN, "expected the field instruction or prompt, got question, chosen"),
    ({"prompt": "Q", "system": "S"} | PLAIN, "system is 'S', and is read only"),
    ({"prompt": []} | PLAIN, "prompt is a list of 0, expected a list of messages"),
    ({"prompt": [ASKED, ANSWERED]} | PLAIN, "prompt: the last message is of the assistant"),
    ({"prompt": [ANSWERED, ASKED]} | PLAIN, "prompt[0] is of the assistant, expected the user"),
    ({"prompt": "Q", "chosen": [], "rejected": "A"}, "chosen is a list of 0, expected a list of m"),
    ({"prompt": "Q", "chosen": [ASKED], "rejected": "A"},
     "chosen: the last message is of the user, expected the assistant's answer"),
    ({"prompt": "Q", "chosen": "A", "rejected": [{"role": "bot", "content": "B"}]},
     "rejected[0].role is 'bot', expected one of system, user, assistant"),
    ({"chosen": [ASKED, ANSWERED], "rejected": [ASKED | {"content": "Z"}, ANSWERED]},
     "rejected begins with other messages than chosen"),
    ({"prompt": [ASKED | {"content": "Z"}], "chosen": [ASKED, ANSWERED],
      "rejected": [ASKED, ANSWERED]}, "chosen begins with other messages than prompt"),
])
def test_a_malformed_pair_is_named_with_its_field(written, row, told):
    path = written("x.json", [{"prompt": "Q"} | PLAIN, row])
    with pytest.raises(ValueError, match=re.escape(f"{path}, record 2: {told}")):
        read_preferences(path)


def test_the_shared_preferences(instruct_dir):
    path = instruct_dir / "instruction-data-with-preference.json"
    pairs = read_preferences(path)
    ties = [i for i, pair in enumerate(pairs) if pair.problem == "chosen equals rejected"]
    assert len(pairs) == 1100 and ties == [122, 226, 400, 566, 628, 676]
    assert {pair.problem for pair in pairs} == {None, "chosen equals rejected"}
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [(p.prompt.instruction, p.prompt.input, p.chosen, p.rejected) for p in pairs] == [
        tuple(row[name] for name in ("instruction", "input", "chosen", "rejected")) for row in rows]
