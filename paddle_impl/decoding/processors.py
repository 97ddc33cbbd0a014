"""Penalties and bans, which change the scores of the next token before it is chosen.

n sequences, V vocabulary. Pure functions; scores are logits, or log-probabilities in a beam search.
Names and meanings are those of transformers' logits processors.
"""

from collections.abc import Sequence

import numpy as np

from paddle_impl.config.decoding import Decoding

Histories = Sequence[Sequence[int]]  # the tokens of each sequence, those of the prompt first


def process(
    scores: np.ndarray, histories: Histories, new: int, decoding: Decoding
) -> np.ndarray:
    """Apply repetition penalty, no-repeat n-gram, minimum length and the vocabulary's padding.

    scores (n, V) -> (n, V), a copy if anything changes. A token with a score of -inf is never
    chosen. new: how many tokens were chosen before.
    """
    if decoding.repetition_penalty != 1.0:
        scores = repetition_penalty(scores, histories, decoding.repetition_penalty)
    if decoding.no_repeat_ngram_size:
        scores = ban_each(scores, [repeating(history, decoding.no_repeat_ngram_size)
                                   for history in histories])
    if new < decoding.min_new_tokens:
        scores = ban(scores, list(decoding.eos_token_ids))
    if decoding.vocab_size is not None and decoding.vocab_size < scores.shape[-1]:
        scores = ban(scores, slice(decoding.vocab_size, None))
    return scores


def repetition_penalty(scores: np.ndarray, histories: Histories, penalty: float) -> np.ndarray:
    """Divide the positive scores of tokens that were seen, multiply the negative ones.

    How often a token was seen makes no difference. Source: Keskar et al. 2019, section 4.1.
    """
    scores = scores.copy()
    for row, history in enumerate(histories):
        seen = np.unique(np.asarray(history, np.int64))
        own = scores[row, seen]
        scores[row, seen] = np.where(own < 0, own * penalty, own / penalty)
    return scores


def repeating(history: Sequence[int], size: int) -> list[int]:
    """The tokens that would end an n-gram of `size` tokens that the history already holds."""
    tokens = np.asarray(history, np.int64)
    if len(tokens) < size:
        return []
    grams = np.lib.stride_tricks.sliding_window_view(tokens, size)  # (n-grams, size)
    begun = tokens[len(tokens) - size + 1 :]
    return np.unique(grams[(grams[:, :-1] == begun).all(axis=-1), -1]).tolist()


def ban(scores: np.ndarray, ids: list[int] | slice) -> np.ndarray:
    """A copy in which no sequence can choose the tokens."""
    scores = scores.copy()
    scores[:, ids] = -np.inf
    return scores


def ban_each(scores: np.ndarray, ids: Sequence[list[int]]) -> np.ndarray:
    """A copy in which sequence i cannot choose the tokens ids[i]."""
    scores = scores.copy()
    for row, own in enumerate(ids):
        scores[row, own] = -np.inf
    return scores
