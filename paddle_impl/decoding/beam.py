"""Beam search for one prompt, in numpy float64."""

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.beam_scores import MISSING, RULES, Candidates, Hypothesis
from paddle_impl.decoding.prompt_state import Continuation, Move
from paddle_impl.decoding.text import DecodeBytes

_BLOCK = 16


class BeamState:
    """A PromptState of decoding.num_beams beams; the best num_return_sequences are the results.

    decoding: fitted to the prompt, since the search ends and is scored at max_new_tokens.
    decode_bytes: without it there are no texts.
    """

    def __init__(
        self, prompt: list[int], decoding: Decoding, decode_bytes: DecodeBytes | None = None
    ):
        self.prompt, self.width = prompt, decoding.num_beams
        self._decoding, self._decode_bytes = decoding, decode_bytes
        self._rule = RULES[decoding.beam_score](decoding)
        self._sums = self._rule.begin  # (beams,)
        self._beams: list[list[int]] = [[]]  # new tokens of each live row

    def advance(self, logits: np.ndarray) -> Move:
        # Rows that pad the embedding must not get a share of the probabilities.
        logits = logits[:, : self._decoding.vocab_size]
        new = len(self._beams[0]) + 1
        scores = self._rule.log_probabilities(logits, self.prompt, self._beams)  # (rows, V)
        # At first there is one row for all beams. Later the sums are added in place.
        out = scores if len(scores) == len(self._sums) else None
        totals = np.add(scores, self._sums[:, None], out=out).ravel()
        order = _largest(totals, self._rule.kept)
        rows, tokens = np.divmod(order, logits.shape[-1])
        rows = np.minimum(rows, len(logits) - 1)
        beams = [[*self._beams[row], int(token)] for row, token in zip(rows, tokens, strict=True)]
        candidates = Candidates(totals[order], beams,
                                np.isin(tokens, self._decoding.eos_token_ids))
        going, sums = self._rule.take(candidates, new)
        # A beam without probability is dropped: none of its continuations has any.
        going, self._sums = going[sums > -np.inf], sums[sums > -np.inf]
        self._beams = [beams[rank] for rank in going]
        return Move(rows[going].tolist(), tokens[going].tolist())

    def results(self) -> list[Continuation]:
        """Best first. If fewer beams were possible, the rest are empty, with a score of -1e9."""
        count = self._decoding.num_return_sequences
        found = [*self._rule.best(), *[MISSING] * count]
        return [self._continuation(one) for one in found[:count]]

    def _continuation(self, one: Hypothesis) -> Continuation:
        ids = one.tokens[:-1] if one.ended else list(one.tokens)
        text = None
        if self._decode_bytes is not None:
            text = self._decode_bytes(ids).decode("utf-8", errors="replace")
        return Continuation(ids, one.score, "eos" if one.ended else "length", text)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` largest values, or of all, largest first; of equal ones the first."""
    if count < len(values) // _BLOCK:
        # The bound is the count-th largest of the blocks' maxima, so at least `count` values reach
        # it. To partition all values instead takes twice as long.
        peaks = values[: len(values) // _BLOCK * _BLOCK].reshape(_BLOCK, -1).max(axis=0)
        found = np.flatnonzero(values >= np.partition(peaks, -count)[-count])
    else:
        found = np.arange(len(values))
    return found[np.lexsort((found, -values[found]))][:count]
