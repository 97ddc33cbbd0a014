"""Logits to the next token, in numpy float64: pure functions, the random draw an argument.

float64 because a top-p sum over 50,000 float32 probabilities is off by 159 times float32's own
error. N sequences, V vocabulary. The order is PaddleNLP's: temperature, softmax, top-k, top-p.
"""

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """(N, V) any float -> (N, V) float64 log-probabilities."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_probability(scores: np.ndarray, tokens: np.ndarray, rows: list[int]) -> np.ndarray:
    """log_softmax(scores)[rows, tokens] for less: (n, V), (m,), (m,) -> float64 (m,).

    The exponentials are taken in the scores' own precision, where numpy has fast ones for float32,
    and summed in float64: off by 1e-9, a hundredth of what float32 scores are off themselves.
    """
    largest = scores.max(axis=-1, keepdims=True)
    if np.isneginf(largest).any():
        raise ValueError("every token is banned: no_repeat_ngram_size, min_new_tokens and the "
                         "vocabulary leave none to choose")
    totals = np.exp(scores - largest).sum(axis=-1, dtype=np.float64)
    chosen = scores[rows, tokens].astype(np.float64) - largest[rows, 0]
    return chosen - np.log(totals[rows])


def top_k(probabilities: np.ndarray, k: int) -> np.ndarray:
    """Zero all but the k largest of each row; ties with the k-th stay. k = 0 keeps all."""
    if k == 0 or k >= probabilities.shape[-1]:
        return probabilities
    kth = np.partition(probabilities, -k, axis=-1)[:, -k, None]
    return np.where(probabilities < kth, 0.0, probabilities)


def top_p(probabilities: np.ndarray, p: float) -> np.ndarray:
    """Zero what lies beyond the smallest set of largest probabilities that sums to at least p.

    The token that crosses p stays. Shares are of the row's sum: it need not be 1 after top-k.
    """
    if p >= 1.0:
        return probabilities
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=-1)
    before = np.cumsum(ordered, axis=-1) - ordered
    kept = np.where(before < p * ordered.sum(axis=-1, keepdims=True), ordered, 0.0)
    result = np.empty_like(probabilities)
    np.put_along_axis(result, order, kept, axis=-1)
    return result


def choose(probabilities: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """The token of each row whose share of the row's sum holds the draw: (N, V), (N,) -> (N,).

    draws are uniform in [0, 1). The inverse of the cumulative distribution, in token order.
    """
    cumulative = np.cumsum(probabilities, axis=-1)
    targets = draws[:, None] * cumulative[:, -1:]
    return np.sum(cumulative <= targets, axis=-1)


def probabilities(scores: np.ndarray, *, temperature: float, k: int, p: float) -> np.ndarray:
    """What tokens are drawn from: scores (N, V) -> (N, V), zero where filtered out.

    After a filter a row no longer sums to one; `choose` does not need it to.
    """
    whole = np.exp(log_softmax(scores.astype(np.float64) / temperature))
    return top_p(top_k(whole, k), p)
