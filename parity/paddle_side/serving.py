"""What the server answers to requests: its ASGI application and engine, without a socket."""

import asyncio
import json

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.serving.app import make_app
from paddle_impl.serving.endpoints import Admission
from paddle_impl.serving.engine import Engine
from paddle_impl.serving.request import Reader
from parity.cases import Case
from parity.cases import serving as fixtures
from parity.compare import Trace
from parity.paddle_side import weights


def answers(case: Case, dtype: str) -> Trace:
    """Texts, finish reasons and usage of every request, whole and streamed."""
    model = weights.build(case, dtype)
    engine = Engine(lambda: make_decoder(model, fixtures.ROWS, case.config.n_positions))
    engine.start()
    try:
        return asyncio.run(_answers(model, engine))
    finally:
        engine.close()


async def _answers(model, engine: Engine) -> Trace:
    trace: Trace = {}
    tokenizer = Tokenizer.byte_level()
    for name, ends, body in fixtures.requests():
        options = ServingOptions(model_name_or_path=fixtures.MODEL_ID, rows=fixtures.ROWS,
                                 eos_token_ids=ends)
        app = make_app(Admission(engine, tokenizer.decode_bytes, options),
                       Reader(model.config, tokenizer, options, None))
        body = {"model": fixtures.MODEL_ID, **body}
        trace |= _whole(f"{name}, whole", json.loads(await _posted(app, body)))
        streaming = {"stream": True, "stream_options": {"include_usage": True}}
        events = (await _posted(app, body | streaming)).decode().split("\n\n")
        *chunks, done = [event.removeprefix("data: ") for event in events if event]
        assert done == "[DONE]", done
        trace |= _streamed(f"{name}, streamed", [json.loads(chunk) for chunk in chunks])
    return trace


async def _posted(app, body: dict) -> bytes:
    """The body of the answer to a POST; AssertionError unless its status is 200."""
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b"",
             "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")]}
    sent = iter([{"type": "http.request", "body": json.dumps(body).encode()}])
    status, content = [], bytearray()

    async def receive() -> dict:
        return next(sent, None) or await asyncio.Event().wait()

    async def send(message: dict) -> None:
        status.append(message.get("status"))
        content.extend(message.get("body", b""))

    await app(scope, receive, send)
    assert status[0] == 200, bytes(content)
    return bytes(content)


def _whole(name: str, answer: dict) -> Trace:
    choices = sorted(answer["choices"], key=lambda choice: choice["index"])
    return fixtures.points(name, [(one["text"], one["finish_reason"]) for one in choices],
                           _used(answer))


def _streamed(name: str, chunks: list[dict]) -> Trace:
    """The pieces of each choice, joined."""
    texts: dict[int, str] = {}
    reasons: dict[int, str] = {}
    for chunk in chunks[:-1]:
        for piece in chunk["choices"]:
            texts[piece["index"]] = texts.get(piece["index"], "") + piece["text"]
            reasons[piece["index"]] = piece["finish_reason"]
    return fixtures.points(name, [(texts[at], reasons[at]) for at in sorted(texts)],
                           _used(chunks[-1]))


def _used(answer: dict) -> tuple[int, int, int]:
    usage = answer["usage"]
    return usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]
