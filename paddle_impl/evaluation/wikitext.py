"""Perplexity of a WikiText file, a token and a word: the latter compares across tokenizers.

The numbers are those of Megatron-LM's and PaddleNLP's evaluations, but that no window is lost and
every token weighs the same.
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

# What WikiText's tokenizer set apart, in the order in which it is put together again.
_JOINED = (
    ("s '", "s'"),  # a plural's genitive
    (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."),  # within a word or a number
    *((f" {mark} ", f"{mark} ") for mark in ":;.!?,"),
)
# Two apostrophes far apart count as quotes too: the published numbers were made with it.
_ENCLOSING = ("()", "[]", "{}", '""', "''")
_LAST = (
    ("= = = =", "===="), ("= = =", "==="), ("= =", "=="),  # headings
    (" ° ", "°"), (" \n", "\n"), ("\n ", "\n"),
    (" N ", " 1 "),  # Penn Treebank's number
    (" 's", "'s"),
)


@dataclass(frozen=True)
class WikiText:
    """original_tokens: the file's words as the data set counts them; tokens: those of the model.

    Of either the first is given, not predicted.
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
        """The same nats, spread over the words of the file."""
        return perplexity(self.nats, self.original_tokens - 1)

    @property
    def accuracy(self) -> float:
        """Share of the model's tokens that were the likeliest at their place."""
        return self.right / (self.tokenized_tokens - 1)


def detokenize(text: str) -> str:
    """WikiText's tokens as the text that they were: marks at their words, brackets closed up."""
    for apart, joined in _JOINED:
        text = text.replace(apart, joined)
    for opening, closing in _ENCLOSING:
        text = _closed_up(text, opening, closing)
    for apart, joined in _LAST:
        text = text.replace(apart, joined)
    return text


def _closed_up(text: str, opening: str, closing: str) -> str:
    """Without white space behind what opens and before what closes."""
    # Behind the last closing mark each opening one would search to the end of the text in vain:
    # 420 s for 1.6 MB with 2,100 of them.
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
    """text: the whole file, as WikiText has it. encode: text -> ids (n,), of a tokenizer.

    overlapping_eval: tokens that a window moves on, and that are counted of each but the first.
    Words are counted between single spaces, in which the end of a line is a word, as WikiText's
    published counts and perplexities have it. vocab_size, progress: see scoring.score.
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
    """Perplexity of one long text, a token of the model and a word of the text."""
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
