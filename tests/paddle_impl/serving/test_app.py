"""The server's information, access control, and errors in OpenAI's format."""

import time

import httpx
import openai
import pytest

from tests.paddle_impl.serving.conftest import until

GOOD = {"model": "tiny", "prompt": "x", "temperature": 0}


@pytest.fixture
def running(start):
    return start("Hello", max_body_bytes=2000)


def refused(answer, status):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    (error,) = answer.json().values()
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_models_and_health(running):
    (listed,) = running.client.models.list().data
    assert listed == running.client.models.retrieve("tiny")
    assert (listed.id, listed.object, listed.max_model_len) == ("tiny", "model", 64)
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        running.client.models.retrieve("some/other")
    health = httpx.get(f"{running.url}/health")
    assert health.status_code == 200 and health.json() == {"status": "ok", "requests": 0}


@pytest.mark.parametrize(("method", "path", "status", "says"), [
    ("GET", "/", 404, "there is no GET /"), ("POST", "/v1/embeddings", 404, "no POST /v1/emb"),
    ("GET", "/v1/completions", 405, "GET /v1/completions is not allowed"),
    ("POST", "/health", 405, "not allowed"), ("POST", "/v1/completions/", 404, "there is no"),
])
def test_addresses_that_are_not_there(running, method, path, status, says):
    answer = httpx.request(method, running.url + path)
    assert says in refused(answer, status)["message"]
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/v1/models/%ED%A0%80", "/%FF", "/v1/models/a%2Fb%00"])
def test_odd_addresses_are_not_there(running, path):
    assert refused(httpx.get(running.url + path), 404)


@pytest.mark.parametrize("body", [
    r'{"\ud800": 1}', r'{"model": "\ud800"}', r'{"model": "tiny", "prompt": "x", "\udfff": 1}',
    r'{"model": "tiny", "prompt": "x", "stop": "\ud800"}',
])
def test_words_that_are_no_unicode_are_refused_in_unicode(running, body):
    answer = httpx.post(f"{running.url}/v1/completions", content=body,
                        headers={"Content-Type": "application/json"})
    assert refused(answer, 400)["message"]


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}])
def test_only_json_is_read(running, headers):
    """A form on a web page can send text/plain here, and nobody asks the server before."""
    answer = httpx.post(f"{running.url}/v1/completions", content=b"{}", headers=headers)
    assert "application/json" in refused(answer, 415)["message"]


def test_no_other_origin_is_let_in(running):
    answer = httpx.post(f"{running.url}/v1/completions", json=GOOD,
                        headers={"Origin": "http://elsewhere.example"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert refused(httpx.options(f"{running.url}/v1/completions"), 405)


@pytest.mark.parametrize("size", [2001, 31_000, 3_000_000])
def test_a_body_that_is_too_long(running, size):
    body = b'{"prompt": "' + b"a" * (size - 14) + b'"}'
    try:
        answer = httpx.post(f"{running.url}/v1/completions", content=body,
                            headers={"Content-Type": "application/json"})
    except (httpx.WriteError, httpx.ReadError):
        assert size > 16 * 2000  # the server has stopped listening to so much
    else:
        assert "longer than 2000 bytes" in refused(answer, 413)["message"]
    assert running.complete(temperature=0).choices[0].text == "Hello"


def test_a_body_that_never_ends_does_not_keep_its_place(start):
    running = start(request_timeout=0.3, max_concurrency=1)

    def drip():
        yield b'{"model"'
        until(lambda: running.server._admission.inside)
        while running.server._admission.inside:
            time.sleep(0.01)
            yield b" "

    answer = httpx.post(f"{running.url}/v1/completions", content=drip(),
                        headers={"Content-Type": "application/json"})
    assert "body took longer than 0.3 seconds" in refused(answer, 408)["message"]
    assert running.complete(temperature=0).choices[0].text == "Hello"


def test_a_key_is_asked_for_where_there_is_one(start, monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "sesame")
    running = start(api_key_variable="SERVER_KEY")
    assert running.client.with_options(api_key="sesame").completions.create(**GOOD)
    for scheme in ("bearer", "BEARER", "Bearer "):
        assert httpx.post(f"{running.url}/v1/completions", json=GOOD, headers={
            "Authorization": f"{scheme} sesame", "Host": "example.org"}).status_code == 200
    for given in ("sesame", "Basic sesame", "Bearer", ""):
        refused(httpx.get(f"{running.url}/v1/models", headers={"Authorization": given}), 401)
    for key in ("none", "sesame2", "sésame"):
        answer = httpx.post(f"{running.url}/v1/completions", json=GOOD,
                            headers=[(b"Authorization", f"Bearer {key}".encode())])
        assert refused(answer, 401)["code"] == "invalid_api_key"
    with pytest.raises(openai.AuthenticationError):
        running.client.models.list()
    assert httpx.get(f"{running.url}/health").status_code == 200


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
    "10.0.0.7", "[2001:db8::1]:80", "evil@localhost", "", "localhost:80:80",
])
def test_a_name_of_another_site_is_refused_without_a_key(running, host):
    """A web page whose own name leads to this machine would otherwise read the answers."""
    for path in ("/v1/models", "/health"):
        error = refused(httpx.get(running.url + path, headers={"Host": host}), 403)
        assert error["code"] == "unknown_host" and "--api_key_variable" in error["message"]


@pytest.mark.parametrize("host", [
    "localhost", "LocalHost:8000", "localhost.", "127.0.0.1:1", "127.1.2.3", "[::1]", "[::1]:80",
])
def test_names_of_this_machine_are_answered(running, host):
    assert httpx.get(f"{running.url}/v1/models", headers={"Host": host}).status_code == 200
