"""What the server answers to requests, from a body to a response, by its engine, without HTTP."""

import asyncio
import json

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.serving.engine import Engine
from paddle_impl.serving.job import Job, Piece
from paddle_impl.serving.request import Reader
from paddle_impl.serving.response import Completion
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
        reader = Reader(model.config, tokenizer, ServingOptions(
            model_name_or_path=fixtures.MODEL_ID, rows=fixtures.ROWS, eos_token_ids=ends), None)
        body = {"model": fixtures.MODEL_ID, **body}
        job = Job(reader.completion(json.dumps(body).encode()), tokenizer.decode_bytes)
        assert not await _pieces(engine, job), "a request that is not streamed has pieces"
        trace |= _whole(f"{name}, whole", Completion(job, fixtures.MODEL_ID).whole())
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        job = Job(reader.completion(json.dumps(body).encode()), tokenizer.decode_bytes)
        pieces, answer = await _pieces(engine, job), Completion(job, fixtures.MODEL_ID)
        trace |= _streamed(f"{name}, streamed", [
            *answer.openings(), *map(answer.piece, pieces), *answer.closings()])
    return trace


async def _pieces(engine: Engine, job: Job) -> list[Piece]:
    """Compute the job; RequestError where it fails."""
    engine.submit(job)
    await job.begun()
    return [piece async for piece in job.pieces()]


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
