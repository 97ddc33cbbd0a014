"""Perplexity of a WikiText file per token and per word. The latter compares across tokenizers.

As in the evaluations of Megatron-LM and PaddleNLP, except that no window is left out and every
token has the same weight.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.options import require
from paddle_impl.evaluation import files
from paddle_impl.evaluation.progress import progress_bar
from paddle_impl.evaluation.scoring import perplexity, score
from paddle_impl.evaluation.windows import strided, window_of

# Replacements that undo WikiText's tokenization, in the order in which they are applied.
_JOINED = (
    ("s '", "s'"),  # a plural's genitive
    (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."),  # within a word or a number
    *((f" {mark} ", f"{mark} ") for mark in ":;.!?,"),
)
# Two apostrophes count as quotes even if far apart; the published numbers include this error.
_ENCLOSING = ("()", "[]", "{}", '""', "''")
_LAST = (
    ("= = = =", "===="), ("= = =", "==="), ("= =", "=="),  # headings
    (" ° ", "°"), (" \n", "\n"), ("\n ", "\n"),
    (" N ", " 1 "),  # Penn Treebank's number
    (" 's", "'s"),
)


@dataclass(frozen=True)
class WikiText:
    """original_tokens: words of the file, as WikiText counts them. tokenized_tokens: tokens of the
    model. The first token is given and not predicted, so both means are over one less.
    """

    nats: float
    right: int
    original_tokens: int
    tokenized_tokens: int

    @property
    def loss(self) -> float:
        """Mean nats a token of the model."""
        return self.nats / (self.tokenized_tokens - 1)

    @property
    def perplexity(self) -> float:
        return perplexity(self.nats, self.tokenized_tokens - 1)

    @property
    def adjusted_perplexity(self) -> float:
        """Perplexity per word: exp(nats / words)."""
        return perplexity(self.nats, self.original_tokens - 1)

    @property
    def accuracy(self) -> float:
        """Share of the predicted tokens that the model gave the highest probability."""
        return self.right / (self.tokenized_tokens - 1)


def detokenize(text: str) -> str:
    """Undo WikiText's tokenization: remove the spaces before marks and within brackets."""
    for apart, joined in _JOINED:
        text = text.replace(apart, joined)
    for opening, closing in _ENCLOSING:
        text = _closed_up(text, opening, closing)
    for apart, joined in _LAST:
        text = text.replace(apart, joined)
    return text


def _closed_up(text: str, opening: str, closing: str) -> str:
    """The text without white space after opening and before closing marks."""
    # Stop at the last closing mark: after it, each opening mark would search to the end of the text
    # in vain, which took 420 s for 1.6 MB with 2,100 of them.
    end = text.rfind(closing) + 1
    pattern = f"[{re.escape(opening)}]([^{re.escape(closing)}]*)[{re.escape(closing)}]"
    return re.sub(pattern, lambda found: opening + found[1].strip() + closing,
                  text[:end]) + text[end:]


def score_text(
    model,
    text: str,
    encode: Callable[[str], np.ndarray],
    *,
    window: int,
    overlapping_eval: int,
    vocab_size: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> WikiText:
    """Score a text in overlapping windows.

    text: the whole file in WikiText's tokenization. encode: text -> ids (n,). overlapping_eval:
    tokens by which the window moves; each window after the first scores so many. Words are counted
    by splitting at single spaces, so that ends of lines count, as in WikiText's published counts.
    vocab_size, progress: see scoring.score. ValueError for fewer than two words or tokens.
    """
    original = len(text.strip().split(" "))
    ids = np.asarray(encode(detokenize(text)), np.int64)
    if original < 2 or len(ids) < 2:
        raise ValueError(f"the text has {original} words and {len(ids)} tokens: at least two of "
                         "each are needed, of which the first is given")
    rows = strided(ids, window, overlapping_eval)
    scores = score(model, rows, vocab_size=vocab_size, progress=progress)
    return WikiText(float(scores.nats.sum()), int(scores.right.sum()), original, len(ids))


def measure(config: EvaluationConfig, model, tokenizer) -> tuple[str, dict]:
    """Perplexity of one long text per token of the model and per word of the text."""
    path, moved = config.measure.wikitext, config.measure.overlapping_eval
    text = files.read_text(path, "--wikitext")
    window = window_of(model, config.data.max_seq_len)
    require(moved <= window,
            f"--overlapping_eval {moved} is beyond the window of {window} tokens")
    result = score_text(model, text, tokenizer.encode, window=window, overlapping_eval=moved,
                        vocab_size=tokenizer.vocab_size, progress=progress_bar())
    return files.table(f"{path}: windows of {window} moved by {moved}", [
        ("original tokens", result.original_tokens, "words and line ends of the file"),
        ("tokenized tokens", result.tokenized_tokens, "of this tokenizer"),
        ("loss", result.loss, "nats a token"),
        ("perplexity", result.perplexity, "a token"),
        ("adjusted perplexity", result.adjusted_perplexity, "an original token"),
        ("token accuracy", result.accuracy, "of the tokens were the likeliest"),
    ]), {
        "file": path, "num_original_tokens": result.original_tokens,
        "num_tokenized_tokens": result.tokenized_tokens, "loss": result.loss,
        "perplexity": result.perplexity, "adjusted_perplexity": result.adjusted_perplexity,
        "accuracy": result.accuracy, "window": window, "overlapping_eval": moved,
    }
