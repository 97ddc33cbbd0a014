"""The errors that a client is told of, in OpenAI's form."""

_KINDS = {401: "authentication_error", 429: "rate_limit_error"}


class RequestError(Exception):
    """An error for the client.

    status: the HTTP status. param: the name of the field that is wrong. retry_after: seconds, sent
    as the header Retry-After.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(_as_unicode(message))
        self.status, self._code = status, code
        self._param = None if param is None else _as_unicode(param)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def body(self) -> dict:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {
            "message": str(self), "type": _KINDS.get(self.status, kind), "param": self._param,
            "code": self._code,
        }}


def _as_unicode(text: str) -> str:
    """The text with lone surrogates escaped: a client may send them, and UTF-8 cannot hold them."""
    return text.encode("utf-8", "backslashreplace").decode()


def shutting_down() -> RequestError:
    return RequestError("the server is shutting down", status=503, code="shutting_down",
                        retry_after=10)


def model_failed() -> RequestError:
    return RequestError("the model failed; the server's console says why", status=500,
                        code="model_failed")
