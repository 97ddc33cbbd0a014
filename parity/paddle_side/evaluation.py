"""Evaluation: validation loss, documents and WikiText in strided windows, LAMBADA's last words."""

import numpy as np

from paddle_impl import objectives
from paddle_impl.evaluation import code_length as documents
from paddle_impl.evaluation import lambada
from paddle_impl.evaluation import wikitext as wikitexts
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training import measuring
from parity.cases import DOCUMENT_LENGTHS, STRIDE, STRIDED_WINDOW, Case, extremes
from parity.cases import evaluation as fixtures
from parity.compare import Point, Trace
from parity.paddle_side import weights


def mean_loss(case: Case, dtype: str) -> Trace:
    """The mean loss over all labels of uneven batches; the model must stay in training mode."""
    trace: Trace = {}
    batches = [batch for micro_batches in case.steps[:3] for batch in micro_batches]
    for name, one in extremes.spreads(case).items():
        model = weights.build(one, dtype)
        model.train()
        loss = measuring.measure(model, objectives.CAUSAL_LM, batches, Ranks())["loss"]
        trace[Point(0, "loss", f"three steps' batches{name}")] = np.asarray(loss, dtype)
        dropping = all(layer.training for layer in model.sublayers(include_self=True))
        trace[Point(0, "mode", "training again")] = np.asarray(dropping)
    return trace


def code_length(case: Case, dtype: str) -> Trace:
    """Each document's cost in nats, its number of tokens, and how many of them were the likeliest.

    A document has an end token before and after it.
    """
    trace, end = {}, case.config.eos_token_id
    for name, one in extremes.spreads(case).items():
        model = weights.build(one, dtype)
        for number, document in enumerate(case.documents(DOCUMENT_LENGTHS)):
            told = documents.code_length(
                model, [document], lambda ids: bytes(ids.astype(np.uint8)), eos_token_id=end,
                window=STRIDED_WINDOW, stride=STRIDE,
            )
            at = f"document {number}{name}"
            trace[Point(0, "code length", at)] = np.asarray(told.nats)
            trace[Point(0, "tokens", at)] = np.array([told.tokens, told.right])
    return trace


def wikitext(case: Case, dtype: str) -> Trace:
    """Nats, accuracy, and perplexity by token and by word of a WikiText file, in strided windows.
    """
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        told = wikitexts.score_text(
            weights.build(one, dtype), fixtures.WIKITEXT, fixtures.encode, window=fixtures.WINDOW,
            overlapping_eval=fixtures.MOVED, vocab_size=fixtures.VOCABULARY,
        )
        trace |= {
            Point(0, "code length", f"nats{name}"): np.asarray(told.nats),
            Point(0, "tokens", f"original, tokenized, the likeliest{name}"):
                np.array([told.original_tokens, told.tokenized_tokens, told.right]),
            Point(0, "score", f"log of the perplexity{name}"): np.log(told.perplexity),
            Point(0, "score", f"log of the adjusted perplexity{name}"):
                np.log(told.adjusted_perplexity),
        }
    return trace


def last_words(case: Case, dtype: str) -> Trace:
    """Whether each last word is the greedy choice, with FEW ids allowed; the word's nats."""
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        trace |= _last_words(one, dtype, name)
    return trace


def _last_words(case: Case, dtype: str, name: str) -> Trace:
    model, outcomes, nats = weights.build(case, dtype), [], []
    model.train()  # as during training, so that evaluation must stop dropout
    passages = [lambada.passage(text, fixtures.encode_letters) for text in fixtures.PASSAGES]
    options = {"window": fixtures.PASSAGE_WINDOW, "vocab_size": fixtures.FEW}
    together = lambada.last_words(model, passages, **options)
    for one in passages:
        alone = lambada.last_words(model, [one], **options)
        outcomes.append(bool(alone.right))
        nats.append(alone.nats)
    assert together.right == sum(outcomes), "a passage ends otherwise among others"
    return fixtures.ends(case, name, outcomes, nats)
