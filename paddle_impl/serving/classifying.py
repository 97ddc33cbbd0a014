"""A server that tells the labels of texts, with the fields and the answer of vLLM's /classify."""

import asyncio
import contextlib
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import paddle
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.app import make_app
from paddle_impl.serving.endpoints import Admission, body_of, took_too_long
from paddle_impl.serving.engine import Engine
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.fields import Body, is_text, wrong
from paddle_impl.serving.request import unknown_model
from paddle_impl.serving.server import Server, attend
from paddle_impl.text.classifier import TextClassifier, softmax

_MOST = 2048  # texts of a request


def run(classifier: TextClassifier, options: ServingOptions) -> None:
    """See serving.serve_classifier."""
    attend(ClassifierServer(classifier, options), options, "/classify")


class ClassifierServer(Server):
    """A Server whose engine has no model to step: requests are answered in a thread of their own.
    """

    def __init__(self, classifier: TextClassifier, options: ServingOptions):
        models = _Models(options.model_id, classifier)
        admission = Admission(Engine(on_end=self.stop), models, options)
        endpoint = Classify(admission, classifier)
        self._listen(admission, lambda one: make_app(
            one, {"/classify": endpoint, "/v1/classify": endpoint}))


class _Models:
    """The one model, for the routes that describe it."""

    def __init__(self, name: str, classifier: TextClassifier):
        self._one = _Named(name, classifier.longest)

    def __iter__(self):
        yield self._one

    def get(self, name: str) -> "_Named | None":
        return self._one if name == self._one.name else None


class _Named(NamedTuple):
    name: str
    max_model_len: int


class Classify:
    """An ASGI application that answers a request for the labels of one text or of several.

    Requests are computed one after the other.
    """

    def __init__(self, admission: Admission, classifier: TextClassifier):
        self._admission, self._classifier = admission, classifier
        # A new thread uses the first device, whatever device other threads have set.
        self._thread = ThreadPoolExecutor(1, "classifier", paddle.set_device,
                                          (paddle.get_device(),))

    async def __call__(self, scope, receive, send) -> None:
        options = self._admission.options
        with self._admission.place(), contextlib.suppress(ClientDisconnect):
            content = await body_of(Request(scope, receive), options)
            loop = asyncio.get_running_loop()
            try:
                answer = await asyncio.wait_for(loop.run_in_executor(
                    self._thread, self._answer, content), options.request_timeout)
            except asyncio.TimeoutError:
                raise took_too_long(options) from None
            await JSONResponse(answer)(scope, receive, send)

    def _answer(self, content: bytes) -> dict:
        name, texts = self._read(content)
        classifier = self._classifier
        try:
            encoded = [classifier.ids(text) for text in texts]
        except ValueError as error:
            raise RequestError(str(error), param="input", code="invalid_value") from None
        found = softmax(classifier.logits(encoded, self._admission.options.rows))
        count = sum(map(len, encoded))
        return {
            "id": f"classify-{uuid.uuid4().hex}", "object": "list", "created": int(time.time()),
            "model": name,
            "data": [{"index": index, "label": classifier.labels[int(own.argmax())],
                      "probs": own.tolist(), "num_classes": len(own)}
                     for index, own in enumerate(found)],
            "usage": {"prompt_tokens": count, "total_tokens": count, "completion_tokens": 0,
                      "prompt_tokens_details": None},
        }

    def _read(self, content: bytes) -> tuple[str, list[str]]:
        """The model's name and the texts; RequestError for what is no such request."""
        body, own = Body(content), self._admission.options.model_id
        name = body.text("model")
        if name not in (None, own):
            raise unknown_model(name)
        given = body.take("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not 0 < len(texts) <= _MOST or not all(
                map(is_text, texts)):
            raise wrong("input", f"a text, or a list of 1 to {_MOST} texts", given)
        body.ignore("user", "priority", "request_id")
        body.finish()
        return own, texts
