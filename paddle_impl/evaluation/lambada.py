"""LAMBADA: how often a model predicts the last word of a passage.

Source: https://arxiv.org/abs/1606.06031. Passages are split as in Megatron-LM and PaddleNLP.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.evaluation import files
from paddle_impl.evaluation.progress import progress_bar
from paddle_impl.evaluation.scoring import perplexity, score
from paddle_impl.evaluation.windows import Row, window_of


@dataclass(frozen=True)
class Passage:
    """Token ids of the context and of the last word, which is predicted; both (n,), not empty."""

    context: np.ndarray
    word: np.ndarray


@dataclass(frozen=True)
class LastWords:
    """right: passages whose last word was predicted. nats: sum of -log p of all last words.
    cut: passages that are longer than the window.
    """

    passages: int
    right: int
    nats: float
    cut: int

    @property
    def accuracy(self) -> float:
        return self.right / self.passages

    @property
    def perplexity(self) -> float:
        """exp(mean nats of a last word); words of several tokens count once."""
        return perplexity(self.nats, self.passages)


def passage(text: str, encode: Callable[[str], np.ndarray], *, strict: bool = True) -> Passage:
    """Split a text before its last word (strict), or before its last token.

    ValueError if nothing is left before it.
    """
    words = text.split()
    if strict and len(words) > 1:
        at = text.rstrip().rfind(words[-1])
        context, word = encode(text[:at].strip()), encode(" " + words[-1])
    else:
        ids = encode(text.strip())
        context, word = (ids[:0], ids) if strict else (ids[:-1], ids[-1:])
    if not len(context) or not len(word):
        unit = "word" if strict else "token"
        raise ValueError(f"{text[:40]!r} has no context: expected a text whose last {unit} can be "
                         "told from what precedes it")
    return Passage(np.asarray(context, np.int64), np.asarray(word, np.int64))


def last_words(
    model,
    passages: list[Passage],
    *,
    window: int,
    vocab_size: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> LastWords:
    """Score the last words. A word is right if each of its tokens is the likeliest one, given the
    context and the word's tokens before it.

    window: the most tokens that the model sees, the last ones of a passage; ValueError if a word is
    longer. vocab_size, progress: see scoring.score.
    """
    rows, cut = [], 0
    for one in passages:
        if len(one.word) > window:
            raise ValueError(f"a last word has {len(one.word)} tokens, the window holds {window}")
        inputs = np.concatenate([one.context, one.word[:-1]])
        cut += len(inputs) > window
        rows.append(Row(inputs[-window:], one.word))
    scores = score(model, rows, vocab_size=vocab_size, progress=progress)
    right = sum(int(n) == len(row.targets) for n, row in zip(scores.right, rows, strict=True))
    return LastWords(len(rows), right, float(scores.nats.sum()), cut)


def measure(config: EvaluationConfig, model, tokenizer) -> tuple[str, dict]:
    """Accuracy and perplexity of the last words of a file's passages."""
    path, strict = config.measure.lambada, config.measure.strict_lambada
    passages = []
    for line, text in files.read_passages(path, "--lambada"):
        try:
            passages.append(passage(text, tokenizer.encode, strict=strict))
        except ValueError as error:
            raise ValueError(f"--lambada {path}: line {line}: {error}") from None
    window = window_of(model, config.data.max_seq_len)
    result = last_words(model, passages, window=window, vocab_size=tokenizer.vocab_size,
                        progress=progress_bar())
    what = "word" if strict else "token"
    title = (f"{path}: {result.passages:,} passages, {result.cut:,} of them longer than "
             f"the window of {window}")
    return files.table(title, [
        ("accuracy", result.accuracy, f"{result.right:,} of {result.passages:,} last {what}s"),
        ("perplexity", result.perplexity, f"a last {what}"),
    ]), {
        "file": path, "strict": strict, "passages": result.passages,
        "right": result.right, "cut": result.cut, "accuracy": result.accuracy,
        "perplexity": result.perplexity, "window": window,
    }
