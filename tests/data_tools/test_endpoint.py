"""The client of a server with OpenAI's interface, against a server that does what it is told."""

import asyncio
import re
import socket
import sys
import time
from contextlib import aclosing

import pytest

from data_tools.endpoint import Answer, Endpoint, NoAnswer, base_url, in_order
from tests.scripted_endpoint import ScriptedEndpoint, prompt_of


def ask(endpoint: Endpoint, how="chat", *texts, **settings):
    """The answers to the texts, one after the other; what a request raised in its place."""

    async def run():
        found = []
        async with endpoint:
            for text in texts:
                try:
                    found.append(await getattr(endpoint, how)(text, **settings))
                except (NoAnswer, ValueError) as error:
                    found.append(error)
        return found

    return asyncio.run(run())


def error_of(answer, *, model="m", how="chat", **options):
    with ScriptedEndpoint(lambda path, body: answer) as server:
        (found,) = ask(Endpoint(server.url, model, **{"retries": 0, **options}), how, "hello")
    return type(found), str(found), len(server.requests)


@pytest.mark.parametrize(("url", "expected"), [
    ("http://localhost:1234", "http://localhost:1234/v1"),
    ("http://localhost:1234/", "http://localhost:1234/v1"),
    ("http://localhost:1234/v1", "http://localhost:1234/v1"),
    ("http://localhost:1234/v1/", "http://localhost:1234/v1"),
    ("http://localhost:1234/v1/chat/completions", "http://localhost:1234/v1"),
    ("http://localhost:1234/v1/completions/", "http://localhost:1234/v1"),
    ("https://host/openai", "https://host/openai/v1"),
    ("https://host/api/v1", "https://host/api/v1"),
    ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
    ("http://[::1]:8000", "http://[::1]:8000/v1"),
])
def test_urls_with_and_without_the_version(url, expected):
    assert base_url(url) == expected


@pytest.mark.parametrize("url", ["localhost:1234", "", "ftp://host", "http://", "http://h:x",
                                 "http://[::1", "http://host/v1?key=1", "/v1"])
def test_what_is_no_url(url):
    with pytest.raises(ValueError, match="is no URL of a server: expected one such as"):
        base_url(url)


def test_a_chat_and_a_completion():
    with ScriptedEndpoint(lambda path, body: f"{path} {prompt_of(body)}") as server:
        assert ask(Endpoint(f"{server.url}/v1", "m"), "chat", "é", temperature=0, seed=5) == [
            Answer("/v1/chat/completions é", True)]
        assert ask(Endpoint(server.url, "m"), "complete", "<|x|>", max_tokens=3, stop=["a"]) == [
            Answer("/v1/completions <|x|>", True)]
    assert server.bodies() == [{"model": "m", "temperature": 0, "seed": 5,
                                "messages": [{"role": "user", "content": "é"}]}]
    assert server.bodies("/v1/completions") == [
        {"model": "m", "prompt": "<|x|>", "max_tokens": 3, "stop": ["a"]}]


@pytest.mark.parametrize(("content", "reason", "expected"), [
    (85, "stop", Answer("85", True)), (None, "stop", Answer("", True)),
    ("half", "length", Answer("half", False)), ("", "content_filter", Answer("", False)),
])
def test_what_servers_send_as_a_text(content, reason, expected):
    choice = {"message": {"content": content}, "finish_reason": reason}
    with ScriptedEndpoint(lambda path, body: {"choices": [choice]}) as server:
        assert ask(Endpoint(server.url, "m"), "chat", "x") == [expected]


def test_the_key_is_the_environments(monkeypatch):
    with ScriptedEndpoint(lambda path, body: "yes") as server:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        ask(Endpoint(server.url, "m"), "chat", "x")
        monkeypatch.setenv("OPENAI_API_KEY", "usual\n")
        ask(Endpoint(server.url, "m"), "chat", "x")
        monkeypatch.setenv("OTHER", "own")
        ask(Endpoint(server.url, "m", key_variable="OTHER"), "chat", "x")
        monkeypatch.delenv("OTHER")
        with pytest.raises(ValueError, match="variable OTHER should hold the server's key"):
            ask(Endpoint(server.url, "m", key_variable="OTHER"), "chat", "x")
    assert [key for *_, key in server.requests] == ["Bearer none", "Bearer usual", "Bearer own"]


@pytest.mark.parametrize("failure", [(500, "busy"), (429, "slow down"), (503, ""), None])
def test_errors_of_the_server_and_of_the_network_are_repeated(failure):
    said = iter([failure, "yes"])
    with ScriptedEndpoint(lambda path, body: next(said)) as server:
        assert ask(Endpoint(server.url, "m", retries=1), "chat", "x") == [Answer("yes", True)]
    assert len(server.requests) == 2


@pytest.mark.parametrize(("answer", "told"), [
    ((500, "out of memory"), "HTTP 500: .*out of memory"), ((400, "too long"), "HTTP 400: .*too l"),
    (None, "the connection broke: "), (b"<html>busy", "holds no text: <html>busy"),
    (b'{"choices": [', "cannot be read: "), (b" null", "the answer holds no text: None"),
    ({"error": "unexpected path"}, "holds no text: .*unexpected path"),
    ({"choices": []}, "holds no text"), ({"choices": ["x"]}, "holds no text"),
    ({"choices": [{"message": None}]}, "holds no text"), (b"{" * 5 + b"[" * 100_000, "be read"),
])
def test_a_request_that_fails(answer, told):
    kind, said, requests = error_of(answer)
    assert kind is NoAnswer and requests == 1 and "\n" not in said and len(said) < 300
    assert re.search(told, said), said


def test_a_slow_server_is_given_up():
    began = time.monotonic()
    kind, said, _ = error_of([b'{"choices": ', *[b" "] * 600], timeout=0.5)
    assert (kind, said) == (NoAnswer, "no answer in time")
    assert time.monotonic() - began < 30  # all of it takes a minute


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_what_every_request_would_get_ends_the_run(status):
    kind, said, requests = error_of((status, "no such model"))
    assert kind is ValueError and requests == 1
    assert f"refuses to answer: HTTP {status}" in said and "no such model" in said


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (error,) = ask(Endpoint(f"http://127.0.0.1:{port}", "m", retries=0), "chat", "x")
    assert type(error) is ValueError and "cannot be reached" in str(error)


@pytest.mark.parametrize("answer", [
    (404, "not found"), (405, ""), (501, ""), (400, "not a completion model"),
    {"error": "Unexpected endpoint or method"},
])
def test_a_server_without_raw_completions_is_refused(answer):
    kind, said, _ = error_of(answer, how="complete")
    assert kind is ValueError and "raw completions are needed, and http://127.0.0.1:" in said


def test_an_unknown_model_is_not_taken_for_a_server_without_completions():
    kind, said, _ = error_of((404, "no model m", "model_not_found"), how="complete")
    assert kind is ValueError and said.endswith("refuses to answer: HTTP 404: no model m")


@pytest.mark.parametrize(("models", "told"), [
    ({"data": []}, "serves none"), ({"data": [{"id": "a"}, {"id": "b"}]}, "serves a, b"),
    ((401, "no"), "refuses to answer: HTTP 401"), ((404, "no"), "does not tell which are there"),
    (b"<html>", "does not tell which are there"),
])
def test_the_model_is_named_where_several_are_served(models, told):
    with (ScriptedEndpoint(lambda path, body: models) as server,
          pytest.raises(ValueError, match=told)):
        ask(Endpoint(server.url, retries=0), "chat", "x")


def test_the_only_model_needs_no_name():
    def answer(path, body):
        return {"data": [{"id": "alone"}]} if body is None else body["model"]

    with ScriptedEndpoint(answer) as server:
        assert ask(Endpoint(server.url), "chat", "x") == [Answer("alone", True)]


@pytest.mark.parametrize("models", [(404, "no"), (501, ""), (500, "busy"), b"<html>", {"data": 1}])
def test_a_server_that_does_not_tell_its_models(models):
    with ScriptedEndpoint(lambda path, body: body["model"] if body else models) as server:
        assert ask(Endpoint(server.url, usual_model="usual"), "chat", "x") == [
            Answer("usual", True)]


def test_results_keep_the_order_and_requests_the_bound():
    def answer(path, body):
        time.sleep(0.05 if prompt_of(body) in ("0", "7") else 0.005)
        return prompt_of(body)

    async def run(endpoint):
        async with endpoint, aclosing(in_order(map(str, range(40)), endpoint.chat, 3)) as answers:
            return [answer.text async for answer in answers]

    with ScriptedEndpoint(answer) as server:
        assert asyncio.run(run(Endpoint(server.url, "m"))) == [*map(str, range(40))]
    assert 1 < server.most <= 3


def test_an_error_ends_the_calls_that_run():
    ended = []

    async def do(number):
        if number == 2:
            raise ValueError("two")
        try:
            await asyncio.sleep(60 if number else 0)
        except asyncio.CancelledError:
            ended.append(number)
            raise

    async def run():
        async with aclosing(in_order([0, 2, 3, 4], do, 3)) as results:
            async for _ in results:
                await asyncio.sleep(0)

    with pytest.raises(ValueError, match="two"):
        asyncio.run(run())
    assert 3 in ended


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ValueError, match="needs the package openai: pip install openai=="):
        Endpoint("http://localhost:1", "m")
