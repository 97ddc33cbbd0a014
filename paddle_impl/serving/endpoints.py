"""From a POST to its answer: admission, body, job, then one JSON object or a stream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.connections import PATIENCE
from paddle_impl.serving.engine import Engine
from paddle_impl.serving.errors import RequestError, model_failed, shutting_down
from paddle_impl.serving.job import Job
from paddle_impl.serving.models import Models, Served
from paddle_impl.serving.request import CompletionRequest, Reader
from paddle_impl.serving.response import Response

_PATIENCE = 5.0  # seconds that a client which does not read its answer gets beyond the limit
_DISCARDED = 16  # times the largest body that is read and dropped, so that a client hears why


class Admission:
    """Counts the requests under way, and refuses another when there are as many as allowed."""

    def __init__(self, engine: Engine, models: Models, options: ServingOptions):
        self.engine, self.models, self.options = engine, models, options
        self.closing = False
        self.inside = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Count one request, from before its body is read; RequestError where there is no room."""
        if self.closing:
            raise shutting_down()
        if not self.engine.alive:
            raise model_failed()
        if self.inside >= self.options.max_concurrency:
            raise RequestError(
                f"{self.inside} requests are under way, as many as the server takes; try again",
                status=429, code="rate_limit_exceeded", retry_after=1)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class Endpoint:
    """An ASGI application that answers one kind of POST.

    When a client goes away, its place and its rows are free again. An error is raised as a
    RequestError until the answer has begun; later it is the last event of the stream.
    """

    def __init__(
        self, admission: Admission, read: Callable[[Reader, bytes], CompletionRequest],
        response: type[Response],
    ):
        self._admission, self._read, self._response = admission, read, response

    async def __call__(self, scope, receive, send) -> None:
        with self._admission.place(), contextlib.suppress(ClientDisconnect):
            content = await body_of(Request(scope, receive), self._admission.options)
            # In a thread: a long prompt would keep all streams waiting.
            served, request = await asyncio.to_thread(self._opened, content)
            await self._attend(served, Job(request, served.decode_bytes), scope, receive, send)

    def _opened(self, content: bytes) -> tuple[Served, CompletionRequest]:
        served = self._admission.models.asked(content)
        return served, self._read(served.reader, content)

    async def _attend(self, served: Served, job: Job, scope, receive, send) -> None:
        """Submit the job and wait until the answer is sent, the client is gone, or time is over.

        A client that reads its answer slowly has _PATIENCE seconds beyond the time limit.
        """
        loop, options = asyncio.get_running_loop(), self._admission.options
        timers = [loop.call_later(options.queue_timeout, self._lose_patience, job),
                  loop.call_later(options.request_timeout, job.fail, took_too_long(options))]
        self._admission.engine.submit(job, served.number)
        tasks = [asyncio.create_task(self._deliver(served.name, job, scope, receive, send)),
                 asyncio.create_task(_gone(receive))]
        try:
            await asyncio.wait(tasks, timeout=options.request_timeout + _PATIENCE,
                               return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            self._admission.engine.cancel(job)
            for timer in timers:
                timer.cancel()
            for task in tasks:
                task.cancel()

    def _lose_patience(self, job: Job) -> None:
        if job.waiting:
            job.fail(RequestError(
                f"no room within {self._admission.options.queue_timeout:g} seconds; try again",
                status=503, code="queue_timeout", retry_after=5))

    async def _deliver(self, name: str, job: Job, scope, receive, send) -> None:
        await job.begun()
        response = self._response(job, name)
        if job.request.stream:
            await _send_events(_events(job, response), response.last, send)
            return
        async for _ in job.pieces():
            pass
        await JSONResponse(response.whole())(scope, receive, send)


async def body_of(request: Request, options: ServingOptions) -> bytes:
    """The bytes of a JSON request; RequestError where they are too many, come too slowly, or are
    said to be something else.
    """
    limit = min(PATIENCE, options.request_timeout)
    try:
        return await asyncio.wait_for(_content(request, options.max_body_bytes), limit)
    except asyncio.TimeoutError:
        raise RequestError(f"the request's body took longer than {limit:g} seconds",
                           status=408) from None


async def _content(request: Request, limit: int) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A web page may send other types to any server without asking it first.
        raise RequestError("Content-Type must be application/json", status=415)
    content, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            content += chunk
        elif size > limit * _DISCARDED:
            break
    if size > limit:
        raise RequestError(f"the request's body is longer than {limit} bytes", status=413)
    return bytes(content)


async def _events(job: Job, response: Response) -> AsyncIterator[dict]:
    try:
        for opening in response.openings():
            yield opening
        async for piece in job.pieces():
            yield response.piece(piece)
        for closing in response.closings():
            yield closing
    except RequestError as error:
        yield error.body()


async def _send_events(events: AsyncIterator[dict], last: bytes, send) -> None:
    """Send server-sent events, and what is `last` of all unless there was an error."""
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),  # otherwise nginx holds back pieces until it has many
    ]})
    async for event in events:
        if "error" in event:
            last = b""
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(),
                    "more_body": True})
    await send({"type": "http.response.body", "body": last, "more_body": False})


async def _gone(receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def took_too_long(options: ServingOptions) -> RequestError:
    return RequestError(f"the answer took longer than {options.request_timeout:g} seconds",
                        status=504, code="request_timeout")
