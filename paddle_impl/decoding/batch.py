"""Continues many prompts at once: each starts when rows are free and frees them when it is done."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from paddle_impl.decoding.decoder import Decoder
from paddle_impl.decoding.prompt_state import Move, PromptState


@dataclass
class _Running:
    state: PromptState
    rows: list[int]  # the decoder's rows that belong to this prompt until it is done
    live: list[int]  # the rows that are continued, in the order in which the state gets logits
    tokens: list[int]  # the token that each live row is fed next


class Batch:
    """Prompts that share a decoder. One call of `step` feeds every live row one token.

    The continuations of a prompt do not depend on the other prompts. A prompt whose `advance`
    raises an error is dropped. `step` raises the error after the other prompts have made their
    step, and they can be continued.
    """

    def __init__(self, decoder: Decoder):
        self._decoder = decoder
        self._free = list(range(decoder.rows))
        # A queue that one who is cancelled leaves without a search; the values say nothing.
        self._waiting: OrderedDict[PromptState, None] = OrderedDict()
        self._running: list[_Running] = []
        self._done: list[PromptState] = []
        self._error: Exception | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def active(self) -> int:
        """Prompts that have begun and are not done."""
        return len(self._running)

    def add(self, state: PromptState) -> None:
        """Let the prompt wait for rows, behind those that wait already.

        ValueError where it needs more rows than the decoder has.
        """
        if state.width > self._decoder.rows:
            raise ValueError(f"{state.width} sequences of one prompt do not fit into a batch of "
                             f"{self._decoder.rows}")
        self._waiting[state] = None

    def cancel(self, state: PromptState) -> None:
        """Drop a prompt that waits or has begun; one that is unknown or done is ignored."""
        if state in self._waiting:
            del self._waiting[state]
            return
        for running in [one for one in self._running if one.state is state]:
            self._leave(running)

    def step(self) -> list[PromptState]:
        """Begin the prompts that there are rows for, and feed every live row its token.

        Returns the prompts that are done now.
        """
        self._begin()
        fed = [running for running in self._running if running.live]
        if fed:
            logits = self._decoder.step([row for one in fed for row in one.live],
                                        [token for one in fed for token in one.tokens])
            ends = np.cumsum([len(one.live) for one in fed])
            for running, own in zip(fed, np.split(logits, ends[:-1]), strict=True):
                self._advance(running, own)
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        done, self._done = self._done, []
        return done

    def _begin(self) -> None:
        """Begin prompts in the order in which they were added.

        A prompt that fits does not pass one that needs more rows, which might wait for ever.
        """
        while self._waiting and next(iter(self._waiting)).width <= len(self._free):
            state, _ = self._waiting.popitem(last=False)
            rows = [self._free.pop() for _ in range(state.width)]
            running = _Running(state, rows, rows[:1], [])
            self._running.append(running)
            self._advance(running, self._decoder.prefill(rows[0], state.prompt)[None])

    def _advance(self, running: _Running, logits: np.ndarray) -> None:
        try:
            if not np.isfinite(logits.max(axis=-1)).all():  # the maximum is NaN if any logit is
                raise ValueError("the model gives logits that are no numbers: its weights are "
                                 "damaged, or its training has diverged")
            move = running.state.advance(logits)
        except Exception as error:
            self._leave(running)
            self._error = self._error or error
            return
        if move.tokens:
            self._arrange(running, move)
        else:
            self._leave(running)
            self._done.append(running.state)

    def _arrange(self, running: _Running, move: Move) -> None:
        """Copy each row that several rows shall continue into rows that are not continued."""
        sources = [running.live[source] for source in move.sources]
        unused = [row for row in running.rows if row not in set(sources)]
        live, taken = [], set()
        for source in sources:
            if source in taken:
                target = unused.pop()
                self._decoder.copy(source, target)
                source = target
            taken.add(source)
            live.append(source)
        running.live, running.tokens = live, list(move.tokens)

    def _leave(self, running: _Running) -> None:
        self._running.remove(running)
        self._free += running.rows
