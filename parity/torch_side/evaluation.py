"""Evaluation: validation loss, documents and WikiText in strided windows, LAMBADA's last words."""

import numpy as np
import torch
import torch.nn.functional as F

from parity.cases import DOCUMENT_LENGTHS, STRIDE, STRIDED_WINDOW, Case, extremes
from parity.cases import evaluation as fixtures
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.forward import summed_loss


def mean_loss(case: Case, dtype: str) -> Trace:
    """The mean loss over all labels of uneven batches; the model must stay in training mode."""
    trace: Trace = {Point(0, "mode", "training again"): np.asarray(True)}
    batches = [batch for micro_batches in case.steps[:3] for batch in micro_batches]
    for name, one in extremes.spreads(case).items():
        model = weights.build(one, dtype)
        with torch.no_grad():
            sums, counts = zip(*(summed_loss(model, batch) for batch in batches), strict=True)
        trace[Point(0, "loss", f"three steps' batches{name}")] = (sum(sums) / sum(counts)).numpy()
    return trace


def code_length(case: Case, dtype: str) -> Trace:
    """Each document's cost in nats, its number of tokens, and how many of them were the likeliest.

    A document has an end token before and after it. Each token is predicted in the first window
    that contains it. Windows have W tokens and end at W, W + S, W + 2S ... and at the end of the
    document. This is the strided perplexity of transformers' documentation, except that there the
    last window is shortened at the front.
    """
    trace, end = {}, case.config.eos_token_id
    for name, one in extremes.spreads(case).items():
        model = weights.build(one, dtype)
        for number, document in enumerate(case.documents(DOCUMENT_LENGTHS)):
            sequence = torch.tensor([end, *document, end])
            nats, right = _strided(model, sequence, STRIDED_WINDOW, STRIDE, case.config.vocab_size)
            at = f"document {number}{name}"
            trace[Point(0, "code length", at)] = np.asarray(nats)
            trace[Point(0, "tokens", at)] = np.array([len(sequence) - 1, right])
    return trace


def wikitext(case: Case, dtype: str) -> Trace:
    """Nats, accuracy, and perplexity by token and by word of a WikiText file, in strided windows.

    The detokenized text was typed by hand. Words are counted as in Megatron-LM.
    """
    trace, words = {}, len(fixtures.WIKITEXT.strip().split(" "))
    ids = torch.from_numpy(fixtures.encode(fixtures.DETOKENIZED))
    for name, one in extremes.spreads(case).items():
        model = weights.build(one, dtype)
        nats, right = _strided(model, ids, fixtures.WINDOW, fixtures.MOVED, fixtures.VOCABULARY)
        trace |= {
            Point(0, "code length", f"nats{name}"): np.asarray(nats),
            Point(0, "tokens", f"original, tokenized, the likeliest{name}"):
                np.array([words, len(ids), right]),
            Point(0, "score", f"log of the perplexity{name}"): np.asarray(nats / (len(ids) - 1)),
            Point(0, "score", f"log of the adjusted perplexity{name}"):
                np.asarray(nats / (words - 1)),
        }
    return trace


def last_words(case: Case, dtype: str) -> Trace:
    """Whether greedy generate(), with FEW ids allowed, writes each last word; the word's nats."""
    trace: Trace = {}
    for name, one in extremes.spreads(case).items():
        trace |= _last_words(one, dtype, name)
    return trace


def _last_words(case: Case, dtype: str, name: str) -> Trace:
    model, outcomes, nats = weights.build(case, dtype), [], []
    for text in fixtures.PASSAGES:
        at = text.rindex(" ")
        context, word = (torch.from_numpy(fixtures.encode_letters(part))
                         for part in (text[:at], text[at:]))
        seen = torch.cat([context, word[:-1]])[-fixtures.PASSAGE_WINDOW :]
        start = seen[None, : len(seen) - len(word) + 1]
        with torch.no_grad():
            written = model.generate(
                start, attention_mask=torch.ones_like(start), do_sample=False, pad_token_id=0,
                eos_token_id=None, max_new_tokens=len(word),
                suppress_tokens=list(range(fixtures.FEW, model.config.vocab_size)),
            )[0, start.shape[1] :]
            logits = model(seen[None], use_cache=False).logits[0, -len(word) :]
        outcomes.append(torch.equal(written, word))
        nats.append(float(F.cross_entropy(logits, word, reduction="sum")))
    return fixtures.ends(case, name, outcomes, nats)


def _strided(model, sequence, window: int, stride: int, vocab_size: int) -> tuple[float, int]:
    """(nats, number of tokens that were the likeliest below vocab_size); a pass for each token."""
    length, nats, right = len(sequence) - 1, 0.0, 0
    for token in range(length):
        later = -(-(token + 1 - window) // stride) if token >= window else 0
        last = min(length, window + later * stride)
        context = sequence[max(0, last - window) : token + 1]
        with torch.no_grad():
            logits = model(context[None], use_cache=False).logits[0, -1]
        nats += float(F.cross_entropy(logits, sequence[token + 1]))
        right += int(logits[:vocab_size].argmax() == sequence[token + 1])
    return nats, right
