"""What evaluation reports: perplexities, accuracies and bits per byte."""

import numpy as np

from paddle_impl.evaluation import code_length, lambada, wikitext
from parity.cases import DOCUMENT_LENGTHS, STRIDE, STRIDED_WINDOW, Case
from parity.cases import evaluation as fixtures
from parity.compare import Point, Trace
from parity.paddle_side import weights


def reported(case: Case, dtype: str) -> Trace:
    """The measures of held-out documents, together, and of LAMBADA's last words."""
    model = weights.build(case, dtype)
    told = code_length.code_length(
        model, case.documents(DOCUMENT_LENGTHS), fixtures.two_bytes_a_token,
        eos_token_id=case.config.eos_token_id, window=STRIDED_WINDOW, stride=STRIDE,
    )
    passages = [lambada.passage(text, fixtures.encode_letters) for text in fixtures.PASSAGES]
    words = lambada.last_words(model, passages, window=fixtures.PASSAGE_WINDOW,
                               vocab_size=fixtures.FEW)
    found = {
        "loss": told.loss, "log of the perplexity": np.log(told.perplexity),
        "accuracy": _of_both(told.accuracy), "bits per byte": told.bits_per_byte,
        "gzip's bits per byte": told.gzip_bits_per_byte,
        "LAMBADA's accuracy": _of_both(words.accuracy),
        "log of LAMBADA's perplexity": np.log(words.perplexity),
    }
    return {Point(0, "score", name): np.asarray(value) for name, value in found.items()}


def of_counts(case: Case, dtype: str) -> Trace:
    """The measures of documents and passages whose nats are given."""
    nats, tokens, right, size, words = map(sum, zip(*fixtures.COUNTED, strict=True))
    documents = code_length.CodeLength(nats, tokens, right, size, gzip_bytes=1)
    # The first word and the first token of a WikiText file are given, and not predicted.
    text = wikitext.WikiText(nats, right, words + 1, tokens + 1)
    passages = lambada.LastWords(
        len(fixtures.COUNTED_PASSAGES), sum(right for _, right in fixtures.COUNTED_PASSAGES),
        sum(nats for nats, _ in fixtures.COUNTED_PASSAGES), cut=0)
    found = {
        "bits per byte": documents.bits_per_byte, "perplexity": documents.perplexity,
        "word perplexity": text.adjusted_perplexity, "accuracy": documents.accuracy,
        "WikiText's perplexity": text.perplexity, "WikiText's accuracy": text.accuracy,
        "LAMBADA's perplexity": passages.perplexity, "LAMBADA's accuracy": passages.accuracy,
    }
    return {Point(0, "score", name): np.asarray(value) for name, value in found.items()}


def _of_both(accuracy: float) -> list[float]:
    """The shares of the right and of the wrong, of which one is not zero."""
    return [accuracy, 1.0 - accuracy]
