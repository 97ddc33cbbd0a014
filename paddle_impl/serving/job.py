"""A request under way: its prompt states in the engine's thread, its events in the event loop's."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from paddle_impl.decoding.sequences import SampleState, Sequence, uniform_draws
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.request import CompletionRequest

FINISH_REASONS = {"eos": "stop", "stop": "stop", "length": "length"}


class Piece(NamedTuple):
    """More text of a choice, and why it ends where it does now."""

    choice: int
    text: str
    finish_reason: str | None


class Choice(NamedTuple):
    text: str
    finish_reason: str
    tokens: int  # the end token included


class _Mark(NamedTuple):
    name: str


_BEGUN, _DONE = _Mark("begun"), _Mark("done")


class Job:
    """Made in the event loop. The engine owns the prompt states until the job is done.

    Whatever ends it, time included, comes through one queue: nobody waits for anything else.
    """

    def __init__(self, request: CompletionRequest, decode_bytes):
        self.request = request
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue = asyncio.Queue()
        self._has_begun = False  # in the engine's eyes
        self.prompt_states = [
            SampleState(prompt, decoding,
                        uniform_draws(request.seed, number) if decoding.sampled else None,
                        decode_bytes, self._listener(number))
            for number, (prompt, decoding) in enumerate(
                zip(request.prompts, request.decodings, strict=True))
        ]

    @property
    def waiting(self) -> bool:
        """Whether no token has come yet."""
        return not self._has_begun

    def done(self) -> None:
        """By the engine, after the last prompt."""
        self._tell(_DONE)

    def fail(self, error: RequestError) -> None:
        """From any thread; what the client is told. A second one is not heard."""
        self._tell(error)

    async def begun(self) -> None:
        """Until the first token; RequestError where it never comes."""
        await self._next()

    async def pieces(self) -> AsyncIterator[Piece]:
        """After `begun`; none but for a streamed request. RequestError where the job fails."""
        while (event := await self._next()) is not _DONE:
            yield event

    def choices(self) -> list[Choice]:
        """Once the pieces are over."""
        return [Choice(str(sequence.text), FINISH_REASONS[sequence.finish_reason],
                       len(sequence.tokens))
                for state in self.prompt_states for sequence in state.sequences]

    async def _next(self):
        event = await self._events.get()
        if isinstance(event, RequestError):
            raise event
        return event

    def _tell(self, event) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def _listener(self, number: int):
        first = number * self.request.n

        def hear(index: int, sequence: Sequence) -> None:
            if not self._has_begun:
                self._has_begun = True
                self._tell(_BEGUN)
            if not self.request.stream:
                return
            reason = FINISH_REASONS.get(sequence.finish_reason)
            text = sequence.text.take(last=reason is not None)
            if text or reason:
                self._tell(Piece(first + index, text, reason))

        return hear
