"""A client of servers with OpenAI's interface: vLLM, llama.cpp, Ollama, LM Studio, OpenAI, and
run_generation.py --serve.

The library openai sends the requests. It repeats those that fail with an error of the network, or
with HTTP 408, 409, 429 or 500 and above, after 0.5 to 8 seconds or as long as the server asks for.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

INSTALL = "pip install openai==3.54.0, or bash scripts/setup.sh --extras judge"
KEY_VARIABLE = "OPENAI_API_KEY"
_LONGEST_WAIT = 120.0  # seconds between two attempts, which a server may ask the library for
_LONGEST_CONNECT = 10.0
_NOT_THERE = (404, 405, 501)  # statuses of a path that a server does not have
_FOR_ALL = (401, 403, 404, 405)  # statuses that every other request would get too
_UNREACHABLE = ("ConnectError", "ConnectTimeout")
_AHEAD = 8  # times as many items as are worked on, which may wait for an earlier one

Item = TypeVar("Item")
Result = TypeVar("Result")


class NoAnswer(Exception):
    """One request has no answer, its repetitions included; the text says why."""


class Unsupported(NoAnswer):
    """The server has nothing at the path that was asked."""


class Answer(NamedTuple):
    """finished: the model ended the text, and not a limit on its tokens or a filter."""

    text: str
    finished: bool


class Endpoint:
    """A model of a server; use as an asynchronous context manager.

    model: its name, after entering. Each request raises NoAnswer where it fails, and ValueError
    where all others would fail as well: no such server, model or key.
    """

    def __init__(self, url: str, model: str | None = None, *, usual_model: str | None = None,
                 key_variable: str | None = None, timeout: float = 120.0, retries: int = 4):
        """model: None for the only one that is served; usual_model: its name where the server does
        not tell. key_variable: the environment variable with the key; None for OPENAI_API_KEY, if
        there is one. timeout: seconds that an attempt may wait for the server.
        """
        try:
            import openai
        except ImportError:
            raise ValueError(f"asking a server needs the package openai: {INSTALL}") from None
        self.url, self.model, self._usual_model = base_url(url), model, usual_model
        # A server that sends a byte now and then would outlast the limit on each wait.
        self._longest = (timeout + _LONGEST_WAIT) * retries + timeout
        self._new_client = lambda: openai.AsyncOpenAI(
            base_url=self.url, api_key=_key(key_variable), max_retries=retries,
            timeout=openai.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT)))

    async def __aenter__(self) -> Endpoint:
        self._client = self._new_client()
        try:
            if self.model is None:
                self.model = await self._only_model()
        except BaseException:
            await self._client.close()
            raise
        return self

    async def __aexit__(self, *_) -> None:
        await self._client.close()

    async def chat(self, content: str, **settings: Any) -> Answer:
        """The answer to one message of a user. settings: as temperature, seed, max_tokens."""
        found = await self._sent(
            self._client.chat.completions.create, model=self.model,
            messages=[{"role": "user", "content": content}], **settings)
        return _answer(found, lambda choice: choice.message.content)

    async def complete(self, prompt: str, **settings: Any) -> Answer:
        """How the model goes on behind a prompt that no chat template is put around.

        ValueError where the server has no /v1/completions. LM Studio, which answers every unknown
        path with HTTP 200, gives an answer without a text there.
        """
        try:
            found = await self._sent(self._client.completions.create, _NOT_THERE + (400, 422),
                                     model=self.model, prompt=prompt, **settings)
            return _answer(found, lambda choice: choice.text, Unsupported)
        except Unsupported as error:
            raise ValueError(
                f"raw completions are needed, and {self.url}/completions gives none: {error}. Ask "
                "a server that has them, such as vLLM, llama.cpp or Ollama: in a chat the server "
                "would put its own template around the prompt") from None

    async def _only_model(self) -> str:
        client = self._client.with_options(max_retries=1)
        try:
            names = [one.id for one in (await self._sent(client.models.list, _NOT_THERE)).data]
        except (NoAnswer, AttributeError, TypeError) as error:
            if self._usual_model is not None:
                return self._usual_model
            raise ValueError(f"name the model to ask: {self.url}/models does not tell which are "
                             f"there ({error})") from None
        if len(names) != 1:
            raise ValueError(f"name the model to ask: {self.url} serves "
                             f"{', '.join(map(str, names[:20])) or 'none'}")
        return names[0]

    async def _sent(self, send: Callable, unsupported: tuple[int, ...] = (), **body: Any) -> Any:
        """unsupported: statuses for which Unsupported is raised."""
        import openai

        try:
            return await asyncio.wait_for(send(**body), self._longest)
        except openai.APIStatusError as error:
            told = error.message.removeprefix(f"Error code: {error.status_code} - ")
            told = f"HTTP {error.status_code}: {_short(told)}"
            if error.status_code in unsupported and error.code != "model_not_found":
                raise Unsupported(told) from None
            if error.status_code in _FOR_ALL:
                raise ValueError(f"{self.url} refuses to answer: {told}") from None
            raise NoAnswer(told) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            if type(cause).__name__ in _UNREACHABLE:
                raise ValueError(f"{self.url} cannot be reached: {_short(cause)}") from None
            late = isinstance(error, openai.APITimeoutError)
            raise NoAnswer("no answer in time" if late else
                           f"the connection broke: {_short(cause)}") from None
        except asyncio.TimeoutError:
            raise NoAnswer("no answer in time") from None
        except (openai.APIError, ValueError, RecursionError) as error:
            raise NoAnswer(f"the answer cannot be read: {_short(error)}") from None


def base_url(url: str) -> str:
    """The URL that ends in /v1, of one with or without it, or of /v1/chat/completions.

    A path that has another version in it, as https://host/v1beta/openai, stays as it is.
    ValueError for what is no URL of a server.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no URL of a server: expected one such as "
                         "http://localhost:1234/v1")
    path = re.sub(r"(/chat)?/completions$", "", parts.path.rstrip("/"))
    if not re.search(r"/v[0-9]", path):
        path += "/v1"
    return parts._replace(path=path).geturl()


async def in_order(items: Iterable[Item], do: Callable[[Item], Awaitable[Result]],
                   concurrency: int) -> AsyncIterator[Result]:
    """What `do` returns for each item, in the order of the items, some of them worked on at once.

    Close the iterator (contextlib.aclosing) to end the calls that still run.
    """
    gate, begun = asyncio.Semaphore(concurrency), deque()

    async def one(item: Item) -> Result:
        async with gate:
            return await do(item)

    try:
        for item in items:
            begun.append(asyncio.ensure_future(one(item)))
            if len(begun) == concurrency * _AHEAD:
                yield await begun.popleft()
        while begun:
            yield await begun.popleft()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


def _key(variable: str | None) -> str:
    key = os.environ.get(variable or KEY_VARIABLE, "").strip()
    if not key and variable is not None:
        raise ValueError(f"the environment variable {variable} should hold the server's key, and "
                         "is not set")
    return key or "none"  # what servers without keys do not look at


def _answer(found: Any, text_of: Callable[[Any], Any],
            missing: type[NoAnswer] = NoAnswer) -> Answer:
    """Nothing that the server has sent is checked by the library."""
    try:
        choice = found.choices[0]
        text = text_of(choice)
    except (AttributeError, IndexError, TypeError):
        raise missing(f"the answer holds no text: {_short(found)}") from None
    finished = choice.finish_reason not in ("length", "content_filter")
    return Answer("" if text is None else str(text), finished)


def _short(told: object) -> str:
    """In one line of at most 200 characters."""
    line = " ".join(str(told).split())
    return line if len(line) <= 200 else f"{line[:197]}..."
