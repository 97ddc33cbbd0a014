"""Streams, chats, errors during a stream, clients that disconnect, and limits on requests."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from paddle_impl.serving import endpoints
from tests.paddle_impl.serving.conftest import until

UNICODE = "Grüße, 世界 🙂!"
HELLO = [{"role": "user", "content": "hi"}]


def test_characters_come_whole_however_tokens_cut_them(start):
    pieces = [chunk.choices[0].text for chunk in start(UNICODE).complete(
        temperature=0, max_tokens=40, stream=True)]
    assert "".join(pieces) == UNICODE and "世" in pieces and "🙂" in pieces
    assert "\ufffd" not in "".join(pieces)


@pytest.mark.parametrize(("stop", "text", "reason"), [
    ("界", "Grüße, 世", "stop"), (["xyz", ", "], "Grüße", "stop"), ("xyz", UNICODE, "stop"),
    ("!?", UNICODE, "stop"),
])
def test_stop_strings_never_show(start, stop, text, reason):
    running = start(UNICODE)
    (whole,) = running.complete(temperature=0, max_tokens=40, stop=stop).choices
    assert (whole.text, whole.finish_reason) == (text, reason)
    stream = running.complete(temperature=0, max_tokens=40, stop=stop, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == text


@pytest.mark.parametrize(("stop", "least", "text"), [
    ("l", 0, "He"), ("l", 2, "He"), ("l", 3, "Hel"), ("l", 4, "Hello"), ("lo", 4, "Hel"),
    (["el", "o"], 3, "Hell"),
])
@pytest.mark.parametrize("stream", [False, True])
def test_stop_strings_within_the_first_tokens_do_not_count(start, stop, least, text, stream):
    """min_tokens as vLLM's: one that is complete by then stays, one that ends later counts."""
    found = start("Hello").complete(temperature=0, stop=stop, stream=stream,
                                    extra_body={"min_tokens": least})
    chunks = found if stream else [found]
    assert "".join(chunk.choices[0].text for chunk in chunks) == text


def test_the_wire_format_of_a_stream(start):
    running = start("Hi")
    answer = httpx.post(f"{running.url}/v1/completions", json={
        "model": "tiny", "prompt": "ab", "temperature": 0, "stream": True, "echo": True,
        "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert [chunk["choices"] and (chunk["choices"][0]["text"], chunk["choices"][0]["finish_reason"])
            for chunk in chunks] == [("ab", None), ("H", None), ("i", None), ("", "stop"), []]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert [chunk["usage"] for chunk in chunks] == [None] * 4 + [
        {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}]


def test_echo_and_n_keep_their_order(start):
    running = start("Hi")
    found = running.complete(["a", "b"], n=2, echo=True, temperature=0.1)
    assert [one.text for one in found.choices] == ["aHi", "aHi", "bHi", "bHi"]
    assert running.complete([[104, 105]], echo=True, temperature=0).choices[0].text == "hiHi"


def test_chat(start, chat_directory):
    client = start(UNICODE, chat_directory).client.chat.completions
    whole = client.create(model="tiny", messages=HELLO, temperature=0)
    assert whole.object == "chat.completion"
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].message.content == UNICODE
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.prompt_tokens == len("user: hi\nassistant: ")
    chunks = list(client.create(model="tiny", messages=HELLO, temperature=0, stream=True,
                                stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == UNICODE
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    short = client.create(model="tiny", messages=HELLO, temperature=0, max_completion_tokens=3)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == ("Gr\ufffd",
                                                                                 "length")


def test_a_model_without_a_template_does_not_chat(start):
    with pytest.raises(openai.BadRequestError, match="no chat template; use /v1/completions"):
        start().client.chat.completions.create(model="tiny", messages=HELLO)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_rows(start, stream):
    running = start("Hello " * 8, rows=1, max_concurrency=2)
    running.decoder.held.clear()
    body = {"model": "tiny", "prompt": "x", "temperature": 0, "max_tokens": 60, "stream": stream}
    with httpx.Client() as client:
        if stream:
            with client.stream("POST", f"{running.url}/v1/completions", json=body) as answer:
                next(answer.iter_lines())
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post(f"{running.url}/v1/completions", json=body, timeout=0.3)
    until(lambda: running.server._admission.inside == 0)
    steps = running.decoder.steps
    running.decoder.held.set()
    assert running.complete(temperature=0, max_tokens=5).choices[0].text == "Hello"
    # One step was under way; the other 50 of the one who left never came.
    assert running.decoder.steps <= steps + 1 + 5


def test_a_body_that_never_comes_gives_its_place_back(start, monkeypatch):
    monkeypatch.setattr(endpoints, "PATIENCE", 0.2)
    running = start(max_concurrency=1)
    with socket.create_connection(("127.0.0.1", httpx.URL(running.url).port), 60) as client:
        client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 408 ")
    assert running.complete(temperature=0).choices[0].text == "Hello"


def test_one_too_many_is_told_when_to_come_again(start):
    running = start(max_concurrency=1)
    running.decoder.held.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.complete, temperature=0)
        until(lambda: running.decoder.steps)
        with pytest.raises(openai.RateLimitError, match="1 requests are under way") as refused:
            running.complete()
        running.decoder.held.set()
        assert first.result().choices[0].text == "Hello"
    assert refused.value.response.headers["retry-after"] == "1"
    assert running.complete(temperature=0).choices[0].text == "Hello"


def test_who_waits_too_long_for_a_row_is_sent_away(start):
    running = start(rows=1, queue_timeout=0.3)
    running.decoder.held.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(running.complete, temperature=0)
        until(lambda: running.decoder.steps)
        with pytest.raises(openai.InternalServerError, match="no room within 0.3 s") as refused:
            running.complete(stream=True)
        running.decoder.held.set()
        assert first.result().choices[0].text == "Hello"
    assert refused.value.status_code == 503 and "retry-after" in refused.value.response.headers


def test_an_answer_that_takes_too_long_is_ended(start):
    running = start(request_timeout=0.4)
    running.decoder.held.clear()
    with pytest.raises(openai.InternalServerError, match="longer than 0.4 seconds") as late:
        running.complete(temperature=0)
    assert late.value.status_code == 504
    with pytest.raises(openai.APIError, match="longer than 0.4 seconds"):
        list(running.complete(temperature=0, stream=True))
    running.decoder.held.set()
    assert running.complete(temperature=0).choices[0].text == "Hello"


def test_a_model_that_fails_fails_the_requests_and_not_the_server(start, capfd):
    running = start()
    running.decoder.held.clear()
    with ThreadPoolExecutor(2) as pool:
        under_way = pool.submit(running.complete, temperature=0)
        until(lambda: running.decoder.steps)
        later = pool.submit(running.complete, temperature=0)
        until(lambda: running.server._engine._inbox.qsize())
        running.decoder.broken = FloatingPointError("a board is loose")
        running.decoder.held.set()
        with pytest.raises(openai.InternalServerError, match="the model failed"):
            under_way.result()
        assert later.result().choices[0].text == "Hello"
    assert "a board is loose" in capfd.readouterr().err
    assert len(running.decoders) == 2


def test_an_error_within_a_stream_is_its_last_event(start, capfd):
    running = start()
    running.decoder.held.clear()
    with httpx.stream("POST", f"{running.url}/v1/completions", json={
            "model": "tiny", "prompt": "x", "temperature": 0, "stream": True}) as answer:
        lines = answer.iter_lines()
        assert '"text":"H"' in next(lines)
        running.decoder.broken = RuntimeError("gone")
        running.decoder.held.set()
        (last,) = [line for line in lines if line]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "model_failed"
    assert "gone" in capfd.readouterr().err
