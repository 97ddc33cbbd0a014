"""A server with OpenAI's interface that says what a test tells it to."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedEndpoint:
    """answer: called with (path, body) of a POST, or (path, None) of a GET.

    What it returns: the text of an answer; a dictionary, sent as JSON; bytes, sent as they are;
    (status, message) or (status, message, code), an error of OpenAI's form; a list of bytes, sent
    one by one with pauses; None to break the connection.

    requests: (path, body, key) of each. most: requests at once at most.
    """

    def __init__(self, answer: Callable[[str, dict | None], Any]):
        self.answer, self.requests, self.most = answer, [], 0
        self._running, self._lock = 0, threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                endpoint._serve(self, json.loads(self.rfile.read(
                    int(self.headers["Content-Length"]))))

            def do_GET(self):
                endpoint._serve(self, None)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # of clients that are gone
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> "ScriptedEndpoint":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def bodies(self, ending: str = "/chat/completions") -> list[dict]:
        return [body for path, body, _ in self.requests if path.endswith(ending)]

    def _serve(self, handler, body: dict | None) -> None:
        with self._lock:
            self.requests.append((handler.path, body, handler.headers.get("Authorization")))
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            found = self.answer(handler.path, body)
        finally:
            with self._lock:
                self._running -= 1
        try:
            _send(handler, found)
        except OSError:  # the client did not wait
            handler.close_connection = True


def prompt_of(body: dict) -> str:
    return body["messages"][0]["content"] if "messages" in body else body["prompt"]


def _send(handler, found) -> None:
    if found is None:
        handler.close_connection = True
        return
    status, kind, pieces = 200, "application/json", None
    if isinstance(found, tuple):
        status, message, code = (*found, None)[:3]
        found = {"error": {"message": message, "code": code}}
    if isinstance(found, str):
        text = {"message": {"role": "assistant", "content": found}, "text": found}
        found = {"choices": [{"index": 0, "finish_reason": "stop", **text}]}
    if isinstance(found, list):
        pieces, found = found, b"".join(found)
    content = found if isinstance(found, bytes) else json.dumps(found).encode()
    if isinstance(found, bytes) and not found.lstrip().startswith((b"{", b" ")):
        kind = "text/html"
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for piece in pieces or [content]:
        handler.wfile.write(piece)
        handler.wfile.flush()
        time.sleep(0.1 if pieces else 0)
