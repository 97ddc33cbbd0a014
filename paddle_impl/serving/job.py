"""A request under way.

The engine's thread computes its prompt states and tells it of events; the event loop's thread waits
for the events.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from paddle_impl.decoding.sequences import Sequence, uniform_draws
from paddle_impl.generate import new_state
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.request import CompletionRequest

FINISH_REASONS = {"eos": "stop", "stop": "stop", "length": "length"}


class Piece(NamedTuple):
    """More text of a choice, and its finish reason; None while the choice goes on."""

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
    """Made in the event loop. Only the engine uses the prompt states until the job is done.

    Every event comes through one queue, an error or the end of the time as well: nobody waits for
    anything else.
    """

    def __init__(self, request: CompletionRequest, decode_bytes):
        self.request = request
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue = asyncio.Queue()
        self._has_begun = False  # set by the engine's thread
        self.prompt_states = [
            new_state(prompt, decoding, uniform_draws(request.seed, number), decode_bytes,
                      self._listener(number), request.stops)
            for number, (prompt, decoding) in enumerate(
                zip(request.prompts, request.decodings, strict=True))
        ]

    @property
    def waiting(self) -> bool:
        """Whether no token has come yet."""
        return not self._has_begun

    def done(self) -> None:
        """The engine calls it after the last prompt."""
        self._tell(_DONE)

    def fail(self, error: RequestError) -> None:
        """Let the client be told of the error. May be called from any thread; the first counts."""
        self._tell(error)

    async def begun(self) -> None:
        """Wait for the first token; RequestError where it never comes."""
        await self._next()

    async def pieces(self) -> AsyncIterator[Piece]:
        """Yield the pieces of a streamed request, for another none, until the job is done.

        To be called after `begun`. RequestError where the job fails.
        """
        while (event := await self._next()) is not _DONE:
            yield event

    def choices(self) -> list[Choice]:
        """All choices, complete once `pieces` has ended."""
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
