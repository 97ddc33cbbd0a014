"""uvicorn's connections, of which those that ask for nothing do not stay open."""

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0  # seconds for a request's head, from the moment when the connection is free for one
IDLE = 30.0  # the same after an answer: clients keep connections for their next request
MOST_SILENT = 256  # connections that are free for a request; of one more the oldest is closed


class Connection(H11Protocol):
    """A connection that is closed where a request's head does not come whole in time.

    uvicorn itself has no limit before the first request, and none once a byte of a head has come.
    """

    _timer = None
    since = 0.0  # the time of the event loop when the connection became free for a request

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._wait(PATIENCE)
        silent = [one for one in self.connections if one.silent]
        if len(silent) > MOST_SILENT:
            min(silent, key=lambda one: one.since).transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._wait(IDLE)
        super().on_response_complete()

    @property
    def silent(self) -> bool:
        """Whether the connection is open and no request is under way."""
        free = self.cycle is None or self.cycle.response_complete
        return free and not self.transport.is_closing()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.since = self.loop.time()
        self._timer = self.loop.call_later(seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        if self.silent:
            self.transport.close()
