"""Pairs for preference training, of outputs that a scripted server rewrites."""

import json
import re

import pytest

from tests.data_tools.synthesis.conftest import output_in, politeness_in
from tests.scripted_endpoint import prompt_of


@pytest.fixture
def rows(tmp_path):
    """Write the records, 30 unless given; returns the flag that names their file."""

    def write(*records):
        records = records or [{"instruction": f"Task {n}.", "input": "", "output": f"Out {n}."}
                              for n in range(30)]
        (tmp_path / "in.json").write_text(json.dumps(records))
        return "--input_file", tmp_path / "in.json"

    return write


def rewrite(path, body):
    prompt = prompt_of(body)
    return f" {output_in(prompt)} {politeness_in(prompt)}\n"


def test_the_rewritten_output_is_chosen_where_it_is_polite(run, rows):
    found = run("preference", rewrite, *rows())
    assert found.code == 0 and len(found.records) == 30
    kinds = set()
    for number, record in enumerate(found.records):
        assert [*record] == ["instruction", "input", "output", "chosen", "rejected"]
        assert (record["instruction"], record["output"]) == (f"Task {number}.", f"Out {number}.")
        polite = record["chosen"] != record["output"]
        kinds.add(polite)
        assert (record["chosen"], record["rejected"]) == (
            (f"Out {number}. polite", record["output"]) if polite else
            (record["output"], f"Out {number}. impolite"))
    assert kinds == {True, False}
    assert found.content.startswith('[\n    {\n        "instruction": "Task 0.",\n')
    assert found.said.splitlines()[-1] == f"wrote 30 of 30 records to {found.output}"


def test_the_text_is_the_sources_mended(run, rows):
    found = run("preference", rewrite,
                *rows({"instruction": "A {b}?", "input": "C", "output": "D"}), "--seed", 5)
    (body,) = found.server.bodies()
    politeness = politeness_in(prompt_of(body))
    assert prompt_of(body) == (
        "Given the input `Below is an instruction that describes a task. Write a response that "
        "appropriately completes the request.\n\n### Instruction:\nA {b}?\n\n### Input:\nC` and "
        f"correct output `D`, slightly rewrite the output to be more {politeness}. Keep the "
        "modification minimal. Only return the generated response and nothing else.")
    assert (body["temperature"], body["seed"], body["max_tokens"]) == (0, 5, 512)


def test_the_seed_decides_which_are_polite(run, rows):
    def choices(seed, name):
        found = run("preference", rewrite, *rows(), "--seed", seed, name=name)
        return [record["chosen"] == record["output"] for record in found.records]

    assert choices(1, "a.json") == choices(1, "b.jsonl") != choices(2, "c.json")


def test_what_is_dropped_is_counted(run, rows):
    def answer(path, body):
        output = output_in(prompt_of(body))
        if output == "long":
            return {"choices": [{"message": {"content": "half"}, "finish_reason": "length"}]}
        return {"same": " same\n", "nothing": " ", "down": (500, "busy")}.get(output, "new")

    records = [{"instruction": "i", "output": one} for one in (
        "fine", "same", "nothing", "long", "down", "", "fine", "other", "down")]
    found = run("preference", answer, *rows(*records))
    assert found.code == 0
    assert [record["output"] for record in found.records] == ["fine", "other"]
    assert found.summary == {
        "kind": "preference", "model": "m", "seed": 123, "records": 2,
        "dropped": {"tie": 1, "empty": 2, "cut off": 1, "no answer": 1, "duplicate": 2},
        "no_answer": {"HTTP 500: busy": 1}}
    assert "dropped: tie 1, empty 2, cut off 1, no answer 1, duplicate 2\n" in found.said
    assert "no answer: HTTP 500: busy (1 times)" in found.said
    assert len(found.server.requests) == 6  # neither for the empty output nor for the duplicates


def test_nothing_but_ties_is_an_error(run, rows):
    found = run("preference", lambda path, body: output_in(prompt_of(body)), *rows())
    assert found.code == 2 and found.content is None
    assert "no record came of it; dropped: tie 30" in found.said


@pytest.mark.parametrize(("record", "told"), [
    ({"instruction": "a", "output": 5}, "in.json, record 2: output is 5"),
    ({"output": "a"}, "in.json, record 2: instruction is missing"),
    ({"messages": [{"role": "user", "content": "a"}]}, "record 2: .* got a conversation"),
])
def test_a_malformed_record_is_named(run, rows, record, told):
    found = run("preference", rewrite, *rows({"instruction": "a", "output": "b"}, record))
    assert found.code == 2 and re.search(told, found.said), found.said
    assert not found.server.requests
