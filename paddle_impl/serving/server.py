"""The server process: its socket, its signals, and when the engine starts and ends."""

import asyncio
import contextlib
import socket
import threading
import warnings
from collections.abc import Callable

import uvicorn

from paddle_impl.config.serving import ServingOptions
from paddle_impl.process.stopping import SIGNALS
from paddle_impl.serving.app import make_app
from paddle_impl.serving.connections import IDLE, Connection
from paddle_impl.serving.endpoints import Admission
from paddle_impl.serving.engine import Engine
from paddle_impl.serving.models import Loaded, Models, Served

_LAST_WORDS = 5.0  # seconds to send errors to the requests that the grace period has not seen end
_BACKLOG = 128  # connections that wait to be accepted; so many may be at once


def run(model, tokenizer, options: ServingOptions, *others) -> None:
    """See serving.serve. RuntimeError where the engine ended because it could make no decoder."""
    server = Server(model, tokenizer, options, others=others)
    for one, _, own in others:
        size = sum(parameter.size * parameter.element_size()
                   for parameter in one.parameters())
        print(f"{own.model_id} is a whole model in memory, with {size / 2**20:,.0f} MiB of weights")
    attend(server, options, "/v1")


def attend(server: "Server", options: ServingOptions, route: str) -> None:
    """Run the server until it ends, with what its user should know. route: of its requests."""
    if not options.only_this_machine and options.api_key is None:
        warnings.warn(f"--host {options.host} lets other machines in, and nobody needs a key; "
                      "--api_key_variable asks for one", stacklevel=4)
    server.run(lambda: print(
        f"serving {options.model_id} at {server.url}{route} (Ctrl-C ends it)", flush=True))


class Server:
    """Listens on its socket as soon as it is made; ValueError where the port is taken.

    `run` answers requests until the server ends, and can be called once. decoder_of: called with
    (rows, positions) to make a decoder; by default the one that the options name. others: see
    serving.serve.
    """

    def __init__(self, model, tokenizer, options: ServingOptions, decoder_of=None, others=()):
        loaded = [Loaded(model, tokenizer, options), *map(Loaded._make, others)]
        models = Models([Served.of(number, one, decoder_of) for number, one in enumerate(loaded)])
        engine = Engine(*(one.make_decoder for one in models), on_end=self.stop)
        self._listen(Admission(engine, models, options), make_app)

    def _listen(self, admission: Admission, make: Callable) -> None:
        """Take the port. make: from the admission to the ASGI application."""
        options = admission.options
        self._options, self._engine, self._admission = options, admission.engine, admission
        self._app = make(admission)
        self._loop: asyncio.AbstractEventLoop | None = None  # while it runs
        self._asked_to_stop: asyncio.Event | None = None
        self._hurried = False
        self._socket = _listen(options.host, options.port)
        self.url = _url(self._socket)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer requests until a signal or `stop`. ready: called when requests are accepted."""
        with self._socket:
            self._engine.start()
            asyncio.run(self._main(ready))
        if self._engine.error is not None:
            raise RuntimeError("the engine ended; see above") from self._engine.error

    def stop(self) -> None:
        """Refuse new requests, let running ones finish, and end.

        May be called from any thread, once `run` has called ready.
        """
        self._loop.call_soon_threadsafe(self._asked_to_stop.set)

    async def _main(self, ready: Callable[[], None]) -> None:
        self._loop, self._asked_to_stop = asyncio.get_running_loop(), asyncio.Event()
        http = _Uvicorn(self._app, ready, self._options)
        with self._signals():
            serving = asyncio.create_task(http.serve(sockets=[self._socket]))
            stopping = asyncio.create_task(self._asked_to_stop.wait())
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
            self._admission.closing = True
            await self._until(lambda: self._hurried, self._options.grace)
            await asyncio.to_thread(self._engine.close)
            await self._until(lambda: False, _LAST_WORDS)
            http.should_exit = True
            await serving

    async def _until(self, enough: Callable[[], bool], seconds: float) -> None:
        """Wait until no request is under way, `enough` is true, or the seconds are over."""
        until = self._loop.time() + seconds
        while self._admission.inside and not enough() and self._loop.time() < until:
            await asyncio.sleep(0.02)

    @contextlib.contextmanager
    def _signals(self):
        """The first SIGINT or SIGTERM asks the server to stop, the next ends the grace period."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._signalled)
        try:
            yield
        finally:
            for number in SIGNALS:
                self._loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        self._hurried = self._asked_to_stop.is_set()
        self._asked_to_stop.set()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: they raise the signal again, and the process exits."""

    def __init__(self, app, ready: Callable[[], None], options: ServingOptions):
        super().__init__(uvicorn.Config(
            app, loop="asyncio", http=Connection, ws="none", lifespan="off", log_level="warning",
            access_log=False, server_header=False, timeout_keep_alive=int(IDLE), backlog=_BACKLOG,
            timeout_graceful_shutdown=int(_LAST_WORDS),
        ))
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self):
        yield

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets=sockets)
        self._ready()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot listen on {host} port {port} ({reason}); another --port or "
                         "--host may do, --port 0 takes any that is free") from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
