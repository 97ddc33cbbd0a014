"""Perplexities, accuracies and bits per byte, by lm-evaluation-harness' published definitions.

From lm_eval/api/metrics.py: weighted perplexity is exp(-sum of log-likelihoods / sum of weights),
and bits per byte are -sum of log-likelihoods / sum of bytes / ln 2. LAMBADA's perplexity is
exp(-mean log-likelihood of a passage's target), its accuracy the mean of greedy matches.
"""

import gzip
import math

import numpy as np

from parity.cases import DOCUMENT_LENGTHS, Case
from parity.cases import evaluation as fixtures
from parity.compare import Point, Trace
from parity.torch_side import evaluation


def reported(case: Case, dtype: str) -> Trace:
    """The measures of held-out documents, together, and of LAMBADA's last words."""
    trace = _usual(evaluation.code_length(case, dtype))
    likelihoods = [-float(v) for point, v in trace.items() if point.phase == "code length"]
    counts = np.array([v for point, v in trace.items() if point.phase == "tokens"])
    tokens, right = counts.sum(axis=0)
    end = case.config.eos_token_id
    raw = b"".join(fixtures.two_bytes_a_token(document[:-1] if document[-1] == end else document)
                   for document in case.documents(DOCUMENT_LENGTHS))
    words = _usual(evaluation.last_words(case, dtype))
    targets = [float(v) for point, v in words.items() if point.phase == "score"]
    (outcomes,) = [v for point, v in words.items() if point.phase == "ended"]
    found = {
        "loss": -sum(likelihoods) / tokens, "log of the perplexity": -sum(likelihoods) / tokens,
        "accuracy": [right / tokens, 1.0 - right / tokens],
        "bits per byte": -sum(likelihoods) / len(raw) / math.log(2),
        "gzip's bits per byte": 8 * len(gzip.compress(raw, 9)) / len(raw),
        "LAMBADA's accuracy": np.mean(outcomes, axis=0),
        "log of LAMBADA's perplexity": -np.mean(targets),
    }
    return {Point(0, "score", name): np.asarray(value, np.float64)
            for name, value in found.items()}


def of_counts(case: Case, dtype: str) -> Trace:
    """The measures of documents and passages whose nats are given."""
    nats, tokens, right, size, words = np.array(fixtures.COUNTED).T
    lost, guessed = np.array(fixtures.COUNTED_PASSAGES).T
    perplexity, accuracy = np.exp(nats.sum() / tokens.sum()), right.sum() / tokens.sum()
    found = {
        "bits per byte": np.log2(np.exp(nats.sum() / size.sum())), "perplexity": perplexity,
        "word perplexity": np.exp(nats.sum() / words.sum()), "accuracy": accuracy,
        "WikiText's perplexity": perplexity, "WikiText's accuracy": accuracy,
        "LAMBADA's perplexity": np.exp(lost.mean()), "LAMBADA's accuracy": guessed.mean(),
    }
    return {Point(0, "score", name): np.asarray(value) for name, value in found.items()}


def _usual(trace: Trace) -> Trace:
    """Without what was computed with logits 200 nats apart."""
    return {point: value for point, value in trace.items() if "apart" not in point.tensor}
