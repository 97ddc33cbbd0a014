"""Greedy and sampled continuations of one prompt, side by side."""

from collections.abc import Callable

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding import sampling
from paddle_impl.decoding.processors import process
from paddle_impl.decoding.prompt_state import Continuation, Move
from paddle_impl.decoding.stop_strings import StopStrings
from paddle_impl.decoding.text import DecodeBytes, Text

# (step, number of sequences) -> a uniform draw in [0, 1) for each, whether it has ended or not
Draws = Callable[[int, int], np.ndarray]


def uniform_draws(seed: int, prompt_index: int) -> Draws:
    """Draws from a numpy stream of the prompt's own: its text does not depend on other prompts."""
    stream = np.random.default_rng([seed, prompt_index])
    return lambda step, sequences: stream.random(sequences)


class Sequence:
    """One continuation while its tokens are chosen."""

    def __init__(self, decoding: Decoding, decode_bytes: DecodeBytes | None, stops: StopStrings):
        self._decoding = decoding
        self.tokens: list[int] = []  # the end token included
        self.text = None if decode_bytes is None else Text(decode_bytes, stops)
        self.finish_reason: str | None = None
        self._score = 0.0

    def add(self, token: int, log_probability: float) -> None:
        self.tokens.append(token)
        self._score += log_probability
        if token in self._decoding.eos_token_ids:
            self.finish_reason = "eos"
        elif self.text is not None and self.text.add(
                token, may_stop=len(self.tokens) > self._decoding.stop_after):
            self.finish_reason = "stop"
        elif len(self.tokens) == self._decoding.max_new_tokens:
            self.finish_reason = "length"

    def result(self) -> Continuation:
        ids = self.tokens[:-1] if self.finish_reason == "eos" else list(self.tokens)
        text = None if self.text is None else str(self.text)
        return Continuation(ids, self._score / len(self.tokens), self.finish_reason, text)


class SampleState:
    """A PromptState of decoding.num_return_sequences greedy or sampled continuations.

    decoding: fitted to the prompt. draws: for the strategy sampling; the greedy strategy does not
    use them. decode_bytes: without it there are no texts and no stop strings. on_token: called with
    a sequence's number and the sequence after each of its tokens. stops: those of decoding.stop,
    where several prompts share them.
    """

    def __init__(
        self,
        prompt: list[int],
        decoding: Decoding,
        draws: Draws | None = None,
        decode_bytes: DecodeBytes | None = None,
        on_token: Callable[[int, Sequence], None] | None = None,
        stops: StopStrings | None = None,
    ):
        if decoding.sampled and draws is None:
            raise ValueError("the strategy sampling needs draws")
        if decoding.stop and decode_bytes is None:
            raise ValueError("stop strings need a tokenizer")
        self.prompt, self.width = prompt, decoding.width
        self._decoding, self._draws = decoding, draws if decoding.sampled else None
        self._on_token = on_token or (lambda number, sequence: None)
        stops = stops or StopStrings(decoding.stop)
        self.sequences = [Sequence(decoding, decode_bytes, stops) for _ in range(self.width)]
        self._live: list[int] = []  # numbers of the sequences that have not ended
        self._step = 0

    def advance(self, logits: np.ndarray) -> Move:
        if self._step == 0:
            self._live = list(range(self.width))
            histories = [self.prompt]
            rows = [0] * self.width
        else:
            histories = [self.prompt + self.sequences[number].tokens for number in self._live]
            rows = list(range(len(self._live)))
        scores = process(logits, histories, self._step, self._decoding)
        tokens = self._choose(scores, rows)
        log_probabilities = sampling.log_probability(scores, tokens, rows)
        self._step += 1
        move, live = Move([], []), []
        for row, number, token, logp in zip(rows, self._live, tokens, log_probabilities,
                                            strict=True):
            sequence = self.sequences[number]
            sequence.add(int(token), float(logp))
            self._on_token(number, sequence)
            if sequence.finish_reason is None:
                move.sources.append(row)
                move.tokens.append(int(token))
                live.append(number)
        self._live = live
        return move

    def results(self) -> list[Continuation]:
        return [sequence.result() for sequence in self.sequences]

    def _choose(self, scores: np.ndarray, rows: list[int]) -> np.ndarray:
        """The next token of each live sequence. scores (n, V), their row for each sequence (live,).
        """
        if self._draws is None:
            return scores.argmax(axis=-1)[rows]
        draws = self._draws(self._step, self.width)[self._live]
        options = self._decoding
        kept = sampling.probabilities(
            scores, temperature=options.temperature, k=options.top_k, p=options.top_p
        )
        return sampling.choose(kept[rows], draws)
