"""Three conventions for when a beam is finished, how it is scored, and when a search is over.

hf: transformers 5.23.0, `_beam_search`. paddlenlp: PaddleNLP 2.8.1, `BeamSearchScorer`. lora:
microsoft/LoRA, examples/NLG/src/gpt2_beam.py. Sums are of log-probabilities, in float64.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.processors import Histories, process

NOTHING = -1e9  # transformers' score of a beam that does not exist; -inf - -inf would be NaN


class Hypothesis(NamedTuple):
    """A finished beam. ended: whether its last token is an end token."""

    score: float
    tokens: list[int]
    ended: bool


MISSING = Hypothesis(NOTHING, [], False)


@dataclass(frozen=True)
class Candidates:
    """The K best continuations of all beams by one token, best first."""

    sums: np.ndarray  # float64 (K,), of log-probabilities
    tokens: list[list[int]]  # all new tokens of each candidate
    ended: np.ndarray  # bool (K,), whether the last token is an end token


class Rule(Protocol):
    """The rule of one prompt's search. `new` is the number of a candidate's new tokens, 1 at first.
    """

    kept: int  # how many candidates `take` needs
    begin: np.ndarray  # sums of the beams before the first token

    def log_probabilities(
        self, logits: np.ndarray, prompt: list[int], beams: Histories
    ) -> np.ndarray:
        """logits (n, V), new tokens of each beam -> (n, V), -inf for tokens that are banned."""

    def take(self, candidates: Candidates, new: int) -> tuple[np.ndarray, np.ndarray]:
        """Choose the candidates that are the next beams: their indices and their sums.

        Finished candidates are kept for `best`. Without next beams the search is over.
        """

    def best(self) -> list[Hypothesis]:
        """The finished beams, best first."""


OVER = np.zeros(0, np.int64), np.zeros(0)


class HF:
    """score: sum / tokens^length_penalty, the end token counted.

    Of the candidates only the first num_beams may finish. One beam is a greedy search, as in
    transformers: penalties then act on logits, not on log-probabilities.
    """

    def __init__(self, decoding: Decoding):
        self._decoding, self._beams = decoding, decoding.num_beams
        self.kept = _enough(decoding) if self._beams > 1 else 1
        self.begin = np.where(np.arange(self._beams) == 0, 0.0, NOTHING)
        self._best = [MISSING] * self._beams

    def log_probabilities(self, logits, prompt, beams):
        histories = [prompt + list(tokens) for tokens in beams]
        if self._beams == 1:
            return _normalised(_processed(logits, histories, len(beams[0]), self._decoding))
        return _processed(_normalised(logits), histories, len(beams[0]), self._decoding)

    def take(self, candidates, new):
        stopped = candidates.ended | (new == self._decoding.max_new_tokens)
        scores = candidates.sums / new**self._decoding.length_penalty
        finished = [Hypothesis(float(scores[rank]), candidates.tokens[rank],
                               bool(candidates.ended[rank]))
                    for rank in np.flatnonzero(stopped[: self._beams])
                    if candidates.sums[rank] > -np.inf]
        self._best = sorted(self._best + finished, key=lambda one: one.score, reverse=True)
        del self._best[self._beams :]
        sums = candidates.sums + np.where(stopped, NOTHING, 0.0)
        ranks = np.argsort(-sums, kind="stable")[: self._beams]
        if stopped.all() or self._over(sums[ranks[0]], new):
            return OVER
        return ranks, sums[ranks]

    def best(self):
        return self._best

    def _over(self, best_sum: float, new: int) -> bool:
        """Whether no beam can still become better than the worst finished one."""
        early, penalty = self._decoding.early_stopping, self._decoding.length_penalty
        full = MISSING not in self._best
        if full and early and early != "never":
            return True
        # With "never" a beam is judged by the length at which its score would be best.
        length = self._decoding.max_new_tokens if early == "never" and penalty > 0.0 else new
        return not best_sum / length**penalty > self._best[-1].score


class PaddleNLP:
    """score: sum / ((tokens + 5) / 6)^length_penalty, the end token not counted.

    Of the candidates only the first num_beams may finish; at the last step all beams that go on
    are finished too. early_stopping is True or False.
    """

    def __init__(self, decoding: Decoding):
        self._decoding, self._beams = decoding, decoding.num_beams
        self.kept = _enough(decoding)
        self.begin = np.where(np.arange(self._beams) == 0, 0.0, NOTHING)
        self._found: list[Hypothesis] = []

    def log_probabilities(self, logits, prompt, beams):
        histories = [prompt + list(tokens) for tokens in beams]
        return _processed(_normalised(logits), histories, len(beams[0]), self._decoding)

    def take(self, candidates, new):
        for rank in np.flatnonzero(candidates.ended[: self._beams]):
            self._add(candidates, rank, new - 1, True)
        if self._over(candidates.sums[0], new - 1):
            return OVER
        ranks = np.flatnonzero(~candidates.ended)[: self._beams]
        if new == self._decoding.max_new_tokens:
            for rank in ranks:
                self._add(candidates, rank, new, False)
            return OVER
        return ranks, candidates.sums[ranks]

    def best(self):
        """The finished beams, best first; of equal ones the later, which upstream pops first."""
        return sorted(self._found, key=lambda one: one.score)[::-1]

    def _add(self, candidates: Candidates, rank: int, length: int, ended: bool) -> None:
        """Keep a finished beam. If there are num_beams already, it must be better than the worst,
        which it replaces.
        """
        if (total := candidates.sums[rank]) == -np.inf:
            return
        score = float(total / self._scale(length))
        if len(self._found) == self._beams:
            worst = min(self._found, key=lambda one: one.score)
            if score <= worst.score:
                return
            self._found.remove(worst)
        self._found.append(Hypothesis(score, candidates.tokens[rank], ended))

    def _over(self, best_sum: float, length: int) -> bool:
        if len(self._found) < self._beams:
            return False
        worst = min(one.score for one in self._found)
        return bool(self._decoding.early_stopping) or worst >= best_sum / self._scale(length)

    def _scale(self, length: int) -> float:
        return ((length + 5) / 6) ** self._decoding.length_penalty


class LoRA:
    """score: sum / tokens^length_penalty, the end token counted.

    A beam with an end token leaves the search, and the others go on for max_new_tokens. Beams that
    have not ended by then are finished, too. Penalties act on logits and see the new tokens only.
    early_stopping is False.
    """

    def __init__(self, decoding: Decoding):
        self._decoding = decoding
        self.kept = decoding.num_beams
        self.begin = np.zeros(1)
        self._found: list[Hypothesis] = []

    def log_probabilities(self, logits, prompt, beams):
        return _normalised(_processed(logits, beams, len(beams[0]), self._decoding))

    def take(self, candidates, new):
        ended = candidates.ended
        stopped = ended | (new == self._decoding.max_new_tokens)
        scores = candidates.sums / new**self._decoding.length_penalty
        self._found += [Hypothesis(float(scores[rank]), candidates.tokens[rank], bool(ended[rank]))
                        for rank in np.flatnonzero(stopped) if candidates.sums[rank] > -np.inf]
        going = np.flatnonzero(~stopped)
        return going, candidates.sums[going]

    def best(self):
        return sorted(self._found, key=lambda one: one.score, reverse=True)


RULES = {"hf": HF, "paddlenlp": PaddleNLP, "lora": LoRA}


def _enough(decoding: Decoding) -> int:
    """Enough candidates for num_beams next beams even if every beam may end by every end token."""
    return max(2, 1 + len(decoding.eos_token_ids)) * decoding.num_beams


def _processed(scores, histories: Histories, new: int, decoding: Decoding) -> np.ndarray:
    return process(scores.astype(np.float64, copy=False), histories, new, decoding)


def _normalised(scores: np.ndarray) -> np.ndarray:
    """log_softmax in float64; a row in which every token is banned stays -inf, and not NaN.

    The exponentials are taken in the scores' own precision, as in sampling.log_probability, and in
    place: to allocate an array of the vocabulary times the beams takes as long as computing them.
    """
    largest = scores.max(axis=-1, keepdims=True)
    largest[np.isneginf(largest)] = 0.0
    shifted = scores - largest
    totals = np.exp(shifted, out=shifted).sum(axis=-1, keepdims=True, dtype=np.float64)
    result = scores.astype(np.float64)
    result -= largest + np.log(totals, where=totals > 0.0, out=np.zeros_like(totals))
    return result
