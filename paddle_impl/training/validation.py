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
    """The loader's first `batches` batches of all processes, the same ones at every call.

    loss: nats a counted token. perplexity: exp(loss). bits_per_byte: nats / ln 2 / bytes of text
    that the counted tokens stand for; only with a tokenizer, and where there is text. As in
    run_evaluation.py the end token is paid for and stands for no byte. An empty dict where no
    token is counted. Every process of ranks.data calls it, dropout is off.
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
    found["perplexity"] = _exp(loss)
    if text:
        found["bits_per_byte"] = loss * tokens / math.log(2) / text
    return found


def byte_lengths(
    tokenizer: AnyTokenizer, vocab_size: int, eos_token_id: int | None
) -> np.ndarray:
    """int64 [vocab_size of the model]: bytes of text of each id, 0 where it stands for none.

    The end token is none, nor are ids that the model has beyond the tokenizer's.
    """
    lengths = np.zeros(vocab_size, np.int64)
    own = tokenizer.token_byte_lengths()[:vocab_size]
    lengths[: len(own)] = own
    if eos_token_id is not None:
        lengths[eos_token_id] = 0
    return lengths


class _Counts:
    """Counted labels, and bytes of text they stand for, of the batches that came by."""

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


def _exp(loss: float) -> float:
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
