"""Files of responses, and the text that a judge is asked."""

import json

import pytest

from paddle_impl.evaluation.judge.records import read_responses

RECORD = {"instruction": "Name {a} color.", "input": "", "output": "Red.", "response": "Blue."}


def write(path, *records):
    path.write_text(json.dumps(records))
    return str(path)


def test_the_text_is_that_of_the_source(tmp_path):
    path = write(tmp_path / "x.json", RECORD, RECORD | {"input": "of a flag", "response": "`{}`"})
    (first, second), = read_responses(path, None).values()
    before = ("Given the input `Below is an instruction that describes a task. Write a response "
              "that appropriately completes the request.\n\n### Instruction:\nName {a} color.")
    after = ("` and correct output `Red.`, score the model response `%s` on a scale from 0 to 100, "
             "where 100 is the best score. Respond with the integer number only.")
    assert first == ("record 1", before + after % "Blue.")
    assert second == ("record 2", before + "\n\n### Input:\nof a flag" + after % "`{}`")


@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_an_empty_response_has_no_question(tmp_path, empty):
    path = write(tmp_path / "x.json", RECORD | {"response": empty}, RECORD)
    assert [one.prompt is None for one in read_responses(path, None)["response"]] == [True, False]


def test_each_field_of_responses_is_read(tmp_path):
    record = RECORD | {"model 1 Response": "1", "answer": "2"}
    path = write(tmp_path / "x.json", record, record)
    assert [*read_responses(path, None)] == ["response", "model 1 Response"]
    assert [*read_responses(path, ["answer", "response"])] == ["answer", "response"]


@pytest.mark.parametrize(("change", "told"), [
    ({"response": None}, "record 2: response is null, expected a text"),
    ({"response": 5}, "record 2: response is 5, expected a text"),
    ({"output": None}, "record 2: output is null"),
    ({"instruction": ""}, "record 2: instruction"),
])
def test_a_malformed_record_is_named(tmp_path, change, told):
    path = write(tmp_path / "x.json", RECORD, RECORD | change)
    with pytest.raises(ValueError, match=told):
        read_responses(path, None)


def test_fields_that_are_not_there(tmp_path):
    path = write(tmp_path / "x.json", {"instruction": "a", "output": "b"})
    with pytest.raises(ValueError, match="record 1: no field has response in its name, there are "
                                         "'instruction', 'output': name the field"):
        read_responses(path, None)
    with pytest.raises(ValueError, match="record 1: answer is missing, expected a text"):
        read_responses(path, ["answer"])
    chat = {"messages": [{"role": "user", "content": "a"}], "response": "b"}
    with pytest.raises(ValueError, match="record 1: .* got a conversation"):
        read_responses(write(tmp_path / "x.json", chat), None)
