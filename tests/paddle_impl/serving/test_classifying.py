"""The server that tells labels: vLLM's fields and answer, and what it refuses."""

import threading

import httpx
import numpy as np
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.serving import ServingOptions
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.model import initialize
from paddle_impl.serving.classifying import ClassifierServer
from paddle_impl.text.classifier import TextClassifier
from tests.paddle_impl.serving.conftest import SECONDS, until


@pytest.fixture(scope="module")
def classifier() -> TextClassifier:
    shape = ModelConfig(n_layer=1, n_embd=16, n_head=2, vocab_size=260, n_positions=32)
    model = GPTForSequenceClassification(ClassifierConfig.of(
        shape, labels=("ham", "spam", "other"), pad_token_id=256, max_tokens=9,
        initializer_range=1.0))
    initialize(model, 0)
    return TextClassifier(model, Tokenizer.byte_level())


@pytest.fixture
def serve(classifier, tmp_path):
    """Start a server with these options; its address."""
    running = []

    def begin(**options) -> str:
        server = ClassifierServer(classifier, ServingOptions(
            model_name_or_path=str(tmp_path), port=0, served_model_name="tiny", **options))
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=(ready.set,))
        thread.start()
        assert ready.wait(SECONDS)
        running.append((server, thread))
        return server.url

    yield begin
    for server, thread in running:
        server.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("path", ["/classify", "/v1/classify"])
def test_the_answer_is_vllms(serve, classifier, path):
    texts = ["Win now", "ok", "a text that is longer than what is read"]
    url = serve()
    answer = httpx.post(url + path, json={"model": "tiny", "input": texts, "user": "me"}).json()
    assert answer["id"].startswith("classify-") and answer["object"] == "list"
    assert answer["model"] == "tiny" and isinstance(answer["created"], int)
    assert answer["usage"] == {"prompt_tokens": 7 + 2 + 9, "total_tokens": 18,
                               "completion_tokens": 0, "prompt_tokens_details": None}
    expected = classifier.probabilities(texts)
    for index, (one, own) in enumerate(zip(answer["data"], expected, strict=True)):
        assert one.keys() == {"index", "label", "probs", "num_classes"}
        assert (one["index"], one["num_classes"]) == (index, 3)
        np.testing.assert_allclose(one["probs"], own, atol=1e-6)
        assert one["label"] == classifier.labels[int(own.argmax())]
    (alone,) = httpx.post(url + path, json={"input": texts[0]}).json()["data"]
    np.testing.assert_allclose(alone["probs"], expected[0], atol=1e-6)


def test_models_and_health_are_there_and_completions_are_not(serve):
    url = serve()
    (model,) = httpx.get(f"{url}/v1/models").json()["data"]
    assert (model["id"], model["max_model_len"]) == ("tiny", 9)
    assert httpx.get(f"{url}/v1/models/other").status_code == 404
    assert httpx.get(f"{url}/health").json() == {"status": "ok", "requests": 0}
    assert httpx.post(f"{url}/v1/completions", json={}).status_code == 404


@pytest.mark.parametrize(("body", "status", "told"), [
    ({}, 400, "input must be a text, or a list of 1 to 2048 texts, got null"),
    ({"input": []}, 400, "input must be"), ({"input": [1, 2]}, 400, "input must be"),
    ({"input": ["a"] * 2049}, 400, "input must be"), ({"input": "\ud800"}, 400, "input must be"),
    ({"input": ["a", ""]}, 400, "the text '' has no tokens"),
    ({"input": "a", "model": "other"}, 404, "the model 'other' does not exist"),
    ({"input": "a", "truncate_prompt_tokens": 3}, 400, "unrecognized request argument"),
    ([], 400, "the body must be a JSON object"),
])
def test_what_is_no_request(serve, body, status, told):
    import json

    answer = httpx.post(f"{serve()}/classify", content=json.dumps(body),
                        headers={"Content-Type": "application/json"})
    assert answer.status_code == status and told in answer.json()["error"]["message"]


def test_a_key_is_asked_for(serve, monkeypatch):
    monkeypatch.setenv("KEY", "secret")
    url = serve(api_key_variable="KEY")
    assert httpx.post(f"{url}/classify", json={"input": "a"}).status_code == 401
    answer = httpx.post(f"{url}/classify", json={"input": "a"},
                        headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 200


@pytest.fixture
def held(classifier, monkeypatch):
    """While it is clear the model does not answer."""
    event, plain = threading.Event(), classifier.logits

    def slow(*given):
        event.wait(SECONDS)
        return plain(*given)

    monkeypatch.setattr(classifier, "logits", slow)
    yield event
    event.set()


def test_a_body_has_a_limit(serve):
    answer = httpx.post(f"{serve(max_body_bytes=100)}/classify", json={"input": "x" * 200})
    assert answer.status_code == 413


def test_requests_have_a_limit(serve, held):
    url, answers = serve(max_concurrency=1), []
    first = threading.Thread(target=lambda: answers.append(
        httpx.post(f"{url}/classify", json={"input": "a"}, timeout=SECONDS)))
    first.start()
    until(lambda: httpx.get(f"{url}/health").json()["requests"] == 1)
    assert httpx.post(f"{url}/classify", json={"input": "b"}).status_code == 429
    held.set()
    first.join(SECONDS)
    assert answers[0].status_code == 200


def test_an_answer_has_a_limit(serve, held):
    answer = httpx.post(f"{serve(request_timeout=0.5)}/classify", json={"input": "a"},
                        timeout=SECONDS)
    assert answer.status_code == 504
    assert "longer than 0.5 seconds" in answer.json()["error"]["message"]
