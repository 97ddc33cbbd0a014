"""The server's routes, and handlers that answer every error in OpenAI's form."""

import hmac
import re
import time
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.endpoints import Admission, Endpoint
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.models import Served
from paddle_impl.serving.request import Reader, unknown_model
from paddle_impl.serving.response import ChatCompletion, Completion, Infill

_HOST = re.compile(rb"(?:\[([^]]+)\]|([^:]+))(?::\d*)?")  # an IPv6 address, or another name; a port


def make_app(admission: Admission, posts: Mapping[str, object] | None = None):
    """Make the ASGI application. It sends no CORS headers: web pages elsewhere cannot read it.

    posts: path -> what answers a POST to it; None for completions.
    """
    own = _Own(admission)
    if posts is None:
        posts = {
            "/v1/completions": Endpoint(admission, Reader.completion, Completion),
            "/v1/chat/completions": Endpoint(admission, Reader.chat, ChatCompletion),
            "/infill": Endpoint(admission, Reader.infill, Infill),
        }
    app = Starlette(
        routes=[
            *(Route(path, answer, methods=["POST"]) for path, answer in posts.items()),
            Route("/v1/models", own.models),
            Route("/v1/models/{name:path}", own.model),
            Route("/health", own.health),
        ],
        exception_handlers={RequestError: _refused, HTTPException: _not_here, Exception: _broken},
    )
    app.router.redirect_slashes = False
    options = admission.options
    return _WithName(app, options) if options.api_key is None else _WithKey(app, options.api_key)


class _Own:
    """The routes that describe the server and its models."""

    def __init__(self, admission: Admission):
        self._admission, self._created = admission, int(time.time())

    async def models(self, request: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [self._described(one) for one in self._admission.models]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if (found := self._admission.models.get(name)) is None:
            raise unknown_model(name)
        return JSONResponse(self._described(found))

    def _described(self, one: Served) -> dict:
        return {"id": one.name, "object": "model", "created": self._created, "owned_by": "local",
                "max_model_len": one.max_model_len}

    async def health(self, request: Request) -> Response:
        """Status 200 unless the server is ending, and the number of requests under way."""
        state = "shutting down" if self._admission.closing else "ok"
        if not self._admission.engine.alive:
            state = "model failed"
        return JSONResponse({"status": state, "requests": self._admission.inside},
                            status_code=200 if state == "ok" else 503)


class _WithKey:
    """Answers requests that lack the key with status 401; /health needs no key."""

    def __init__(self, app, key: str):
        self._app, self._key = app, key.encode()

    async def __call__(self, scope, receive, send) -> None:
        if scope["path"].startswith(("/v1", "/infill", "/classify")):
            given = dict(scope["headers"]).get(b"authorization", b"")
            scheme, _, key = given.partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._key):
                error = RequestError("the API key is missing or wrong", status=401,
                                     code="invalid_api_key",
                                     headers={"WWW-Authenticate": "Bearer"})
                await _response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _WithName:
    """Answers requests to a host that ServingOptions.answers_to does not know with status 403."""

    def __init__(self, app, options: ServingOptions):
        self._app, self._options = app, options

    async def __call__(self, scope, receive, send) -> None:
        host = dict(scope["headers"]).get(b"host", b"")
        parts = _HOST.fullmatch(host)
        name = (parts[1] or parts[2]).decode("latin-1").lower().removesuffix(".") if parts else ""
        if not self._options.answers_to(name):
            error = RequestError(
                f"the Host {host.decode('latin-1')[:80]!r} is no name of this machine; with a key "
                "(--api_key_variable) the server answers to every name", status=403,
                code="unknown_host")
            await _response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refused(request: Request, error: RequestError) -> Response:
    return _response(error)


def _not_here(request: Request, error: HTTPException) -> Response:
    where = f"{request.method} {request.url.path[:200]}"
    text = {404: f"there is no {where}", 405: f"{where} is not allowed"}
    return _response(RequestError(text.get(error.status_code, str(error.detail)),
                                  status=error.status_code, headers=error.headers))


def _broken(request: Request, error: Exception) -> Response:
    return _response(RequestError("the server failed; its console says why", status=500))


def _response(error: RequestError) -> Response:
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)
