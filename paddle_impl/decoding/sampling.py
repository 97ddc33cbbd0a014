"""From logits to the next token, in numpy float64. Random draws are arguments.

In float32 a top-p sum over 50,000 probabilities would have 159 times the rounding error of one
float32. N sequences, V vocabulary. The order is PaddleNLP's: temperature, softmax, top-k, top-p.
"""

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """(N, V) any float -> (N, V) float64 log-probabilities."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_probability(scores: np.ndarray, tokens: np.ndarray, rows: list[int]) -> np.ndarray:
    """log_softmax(scores)[rows, tokens], but faster: (n, V), (m,), (m,) -> float64 (m,).

    The exponentials are taken in the scores' own precision, since numpy's are fast for float32, and
    summed in float64. The error is 1e-9, a hundredth of the error of float32 scores.
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
    """Keep the smallest set of largest probabilities that sums to at least p; zero all others.

    The token with which the sum reaches p stays. p is a share of the row's sum, which need not be
    1 after top-k.
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
    """Draw a token for each row: probabilities (N, V), draws (N,) in [0, 1) -> tokens (N,).

    The cumulative distribution, in the order of token ids, is inverted at the draw. A row need not
    sum to 1.
    """
    cumulative = np.cumsum(probabilities, axis=-1)
    targets = draws[:, None] * cumulative[:, -1:]
    return np.sum(cumulative <= targets, axis=-1)


def probabilities(scores: np.ndarray, *, temperature: float, k: int, p: float) -> np.ndarray:
    """The probabilities to draw a token with: scores (N, V) -> (N, V), zero where filtered out.

    After a filter a row no longer sums to 1; `choose` does not need it to.
    """
    whole = np.exp(log_softmax(scores.astype(np.float64) / temperature))
    return top_p(top_k(whole, k), p)
