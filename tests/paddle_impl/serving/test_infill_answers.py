"""What stands in a gap, over HTTP: OpenAI's client with `suffix`, and llama.cpp's /infill."""

import json

import httpx
import numpy as np
import openai
import pytest

from tests.paddle_impl.serving.conftest import (
    BYTES,
    EOS,
    MIDDLE,
    PAD,
    PREFIX,
    SUFFIX,
    Filler,
    Reciter,
    Running,
)


class Middles(Reciter):
    """Recites tokens, and keeps the prompts that it was given."""

    def __init__(self, rows, positions, tokens):
        super().__init__(rows, positions, "")
        self.vocab_size, self._tokens, self.prompts = 262, tokens, []

    def prefill(self, row, prompt):
        self.prompts.append(list(prompt))
        return super().prefill(row, prompt)

    def _logits(self, row):
        logits = np.zeros(262, np.float32)
        logits[self._tokens[min(self._at[row], len(self._tokens) - 1)]] = 50.0
        return logits


@pytest.fixture
def serve(tmp_path):
    running = []

    def begin(*tokens, **options):
        running.append(Running(Filler, tmp_path, lambda rows, positions: Middles(
            rows, positions, tokens), BYTES, **options))
        return running[-1]

    yield begin
    for one in running:
        one.end()


def posted(running, **fields):
    return httpx.post(f"{running.url}/infill", json={
        "input_prefix": "ab", "input_suffix": "cd", "temperature": 0} | fields)


@pytest.mark.parametrize("end", [EOS, PREFIX, MIDDLE, SUFFIX, PAD])
def test_openais_client_gets_what_stands_before_a_suffix(serve, end):
    running = serve(*b"x = 1", end)
    found = running.complete("ab", suffix="cd", temperature=0, max_tokens=20)
    assert (found.choices[0].text, found.choices[0].finish_reason) == ("x = 1", "stop")
    assert running.decoder.prompts == [[PREFIX, *b"ab", SUFFIX, *b"cd", MIDDLE]]
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (7, 6)
    pieces = running.complete("ab", suffix="cd", temperature=0, max_tokens=20, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "x = 1"


def test_a_suffix_is_for_each_prompt_and_other_fields_work(serve):
    running = serve(*b"abcdef")
    found = running.complete(["1", ""], suffix="2", temperature=0, max_tokens=9, stop="de")
    assert [one.text for one in found.choices] == ["abc", "abc"]
    assert running.decoder.prompts == [[PREFIX, 49, SUFFIX, 50, MIDDLE], [PREFIX, SUFFIX, 50,
                                                                          MIDDLE]]


@pytest.mark.parametrize(("fields", "content", "stop_type", "tokens"), [
    ({}, "x = 1\ny", "eos", 8), ({"stop": ["= "]}, "x ", "word", 4),
    ({"n_predict": 3}, "x =", "limit", 3),
])
def test_an_answer_has_llama_cpps_form(serve, fields, content, stop_type, tokens):
    running = serve(*b"x = 1\ny", EOS)
    assert posted(running, **fields).json() == {
        "index": 0, "content": content, "stop": True, "model": "tiny", "tokens_predicted": tokens,
        "tokens_evaluated": 7, "truncated": False, "stop_type": stop_type,
        "has_new_line": "\n" in content}
    assert running.decoder.prompts == [[PREFIX, *b"ab", SUFFIX, *b"cd", MIDDLE]]
    only = posted(running, response_fields=["content", "timings/prompt_n"], **fields).json()
    assert only == {"content": content}


@pytest.mark.parametrize(("n_indent", "content"), [
    (0, "a:\n    b\n\tc\n  d\n    e"), (1, "a:\n    b\n\tc\n  d\n    e"), (2, "a:\n    b\n\t"),
    (4, "a:\n    b\n\t"), (5, "a:\n    "),
])
def test_a_middle_ends_before_a_line_that_is_indented_less(serve, n_indent, content):
    running = serve(*b"a:\n    b\n\tc\n  d\n    e", EOS)
    answer = posted(running, n_indent=n_indent).json()
    assert answer["content"] == content
    assert answer["stop_type"] == ("eos" if n_indent < 2 else "limit")


def test_a_stream_ends_with_the_whole_answer_but_its_text(serve):
    running = serve(*"x é".encode(), EOS)
    answer = posted(running, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line]
    assert "".join(event["content"] for event in events) == "x é"
    assert [event["stop"] for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1]["content"] == "" and events[-1]["tokens_predicted"] == 5


def test_errors_are_answers_of_400_and_the_key_is_asked_for(serve, monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "sesame")
    running = serve(*b"x", EOS, api_key_variable="SERVER_KEY")
    assert posted(running).status_code == 401
    headers = {"Authorization": "Bearer sesame"}
    body = {"input_prefix": "a", "input_suffix": "b", "temperature": 0}
    assert httpx.post(f"{running.url}/infill", json=body, headers=headers).json()["content"] == "x"
    wrong = httpx.post(f"{running.url}/infill", json={"input_prefix": "a"}, headers=headers)
    assert wrong.status_code == 400
    assert "input_suffix is required" in wrong.json()["error"]["message"]
    client = running.client.with_options(api_key="sesame")
    with pytest.raises(openai.BadRequestError, match="echo is not supported"):
        client.completions.create(model="tiny", prompt="a", suffix="b", echo=True)
