"""Instructions and answers that a scripted server makes up."""

import time

import pytest

from tests.scripted_endpoint import prompt_of

FIRST = 123  # the seed of the first draw


def drawn(*texts, answers=lambda instruction: f"To {instruction}"):
    """A server that draws the texts in the order of the seeds, and then anew each time."""

    def answer(path, body):
        if path == "/v1/completions":
            number = body["seed"] - FIRST
            return texts[number] if number < len(texts) else f"\n\nInstruction {number}\n"
        return answers(prompt_of(body))

    return answer


def cut(text):
    return {"choices": [{"text": text, "finish_reason": "length"}]}


def test_the_first_line_is_the_instruction(run):
    found = run("magpie", drawn("\n\n Name a color. \nRed?\n"), "--count", 3)
    assert found.code == 0
    assert found.records == [{"instruction": text, "output": f"To {text}"} for text in (
        "Name a color.", "Instruction 1", "Instruction 2")]
    assert found.content.startswith('[\n    {\n        "instruction": "Name a color.",\n')
    raw = sorted(found.server.bodies("/v1/completions"), key=lambda body: body["seed"])
    assert [body["seed"] for body in raw] == [123, 124, 125]
    assert {**raw[0], "seed": 0} == {
        "model": "m", "prompt": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>",
        "temperature": 1, "seed": 0, "max_tokens": 512, "stop": ["<|eot_id|>"]}
    assert all(body["temperature"] == 0 and body["seed"] == 123 for body in found.server.bodies())


def test_another_template(run):
    found = run("magpie", drawn("Name a color."), "--count", 1, "--pre_query",
                "<|im_start|>user\n", "--stop", "<|im_end|>", "<|end|>", "--temperature", 0.7)
    (body,) = found.server.bodies("/v1/completions")
    assert (body["prompt"], body["stop"], body["temperature"]) == (
        "<|im_start|>user\n", ["<|im_end|>", "<|end|>"], 0.7)


def test_the_whole_instruction(run):
    texts = "Sort these:\n- b\n- a\n", cut("Sort these numbers:\n- 3\n- ")
    found = run("magpie", drawn(*texts), "--count", 2, "--whole_instruction")
    assert [one["instruction"] for one in found.records] == [
        "Sort these:\n- b\n- a", "Instruction 2"]
    assert found.summary["dropped"] == {"cut off": 1}


def test_what_is_dropped_is_counted_and_drawn_again(run):
    def answers(instruction):
        return {"Answer nothing": "", "Answer late!": (500, "busy")}.get(instruction, "fine")

    texts = ("Name a color.", " \n", "short", "  name A  color.\nx", cut("Explain how to"),
             cut("Explain it.\nFirst"), "Answer nothing", "Answer late!")
    found = run("magpie", drawn(*texts, answers=answers), "--count", 4)
    assert [one["instruction"] for one in found.records] == [
        "Name a color.", "Explain it.", "Instruction 8", "Instruction 9"]
    assert found.summary["dropped"] == {"empty": 2, "too short": 1, "duplicate": 1, "cut off": 1,
                                        "no answer": 1}
    assert found.summary["no_answer"] == {"HTTP 500: busy": 1}


def test_a_model_that_repeats_itself_ends(run):
    found = run("magpie", lambda path, body: "Always this one.", "--count", 5, "--max_draws", 12,
                "--concurrency", 1)
    assert found.code == 0 and len(found.records) == 1
    assert len(found.server.bodies()) == 1  # a duplicate is not answered
    assert found.summary["dropped"] == {"duplicate": 11}
    assert f"wrote 1 of 5 records to {found.output}" in found.said


def test_order_and_drops_do_not_depend_on_the_requests_at_once(run):
    texts = drawn(*(f"Instruction {number % 7}" for number in range(30)))

    def answer(path, body):
        time.sleep(body["seed"] % 3 * 0.01)
        return texts(path, body)

    alone, many = (run("magpie", answer, "--count", 20, "--concurrency", at_once, name=name)
                   for at_once, name in ((1, "a.jsonl"), (8, "b.jsonl")))
    assert alone.content == many.content and alone.summary == many.summary
    assert alone.server.most == 1 < many.server.most
    assert alone.summary["dropped"] == {"duplicate": 23}


@pytest.mark.parametrize("answer", [(404, "not found"), {"error": "Unexpected endpoint"}])
def test_a_server_without_raw_completions_is_refused(run, answer):
    found = run("magpie", lambda path, body: answer)
    assert found.code == 2 and found.content is None
    assert "raw completions are needed, and http://127.0.0.1:" in found.said.splitlines()[-1]
