"""Evaluation during training: loss, perplexity and bits per byte of held-out batches."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from data_tools.tokenizing.tokenizer import AnyTokenizer
from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.objectives import Objective
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import measure


def validate(
    model,
    objective: Objective,
    loader: PretrainLoader,
    batches: int,
    ranks: Ranks,
    tokenizer: AnyTokenizer | None,
) -> dict[str, float]:
    """Measures of the first `batches` batches of each process, without dropout.

    loss: nats a counted token. perplexity: exp(loss). bits_per_byte: nats / ln 2 / bytes of text of
    the counted tokens, only with a tokenizer and if there are such bytes. As in run_evaluation.py
    the end token counts in the loss and stands for 0 bytes. The dict is empty if no token is
    counted. Every process of ranks.data calls it; the batches are the same at every call.
    """
    lengths = None if tokenizer is None else byte_lengths(
        tokenizer, model.config.vocab_size, loader.eos_token_id
    )
    counts = _Counts(lengths)
    found = measure(model, objective, counts.counting(loader.first(batches)), ranks)
    tokens, text = ranks.data.total(counts.tokens, counts.bytes)
    if not found:
        return {}
    loss = found["loss"]
    found["perplexity"] = perplexity(loss)
    if text:
        found["bits_per_byte"] = loss * tokens / math.log(2) / text
    return found


def byte_lengths(
    tokenizer: AnyTokenizer, vocab_size: int, eos_token_id: int | None
) -> np.ndarray:
    """int64 [vocab_size of the model]: the bytes of text that each id stands for.

    It is 0 for the end token, and for ids of the model that the tokenizer lacks.
    """
    lengths = np.zeros(vocab_size, np.int64)
    own = tokenizer.token_byte_lengths()[:vocab_size]
    lengths[: len(own)] = own
    if eos_token_id is not None:
        lengths[eos_token_id] = 0
    return lengths


class _Counts:
    """The number of counted labels, and of bytes of their text, in the batches passed through."""

    def __init__(self, lengths: np.ndarray | None):
        self.lengths = lengths
        self.tokens = self.bytes = 0.0

    def counting(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            counted = batch["labels"][batch["labels"] != IGNORED]
            self.tokens += counted.size
            if self.lengths is not None:
                self.bytes += float(self.lengths[counted].sum())
            yield batch


def perplexity(loss: float) -> float:
    """exp of a mean loss in nats; infinity where that is no float."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
