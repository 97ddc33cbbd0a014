"""Held-out loss as a code length: each token of a document is predicted once from its context."""

import gzip
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from data_tools.splits import SPLITS, split_bounds
from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.options import require, split_shares
from paddle_impl.data.sources import check_tokenizer, open_dataset
from paddle_impl.evaluation import files
from paddle_impl.evaluation.progress import progress_bar
from paddle_impl.evaluation.scoring import perplexity, score
from paddle_impl.evaluation.windows import Row, strided, window_of


@dataclass(frozen=True)
class CodeLength:
    """The code length of documents under a model, and the size of gzip -9 for the same bytes.

    nats: sum of -log p over all tokens. right: tokens that the model gave the highest probability.
    bytes: of the documents' text.
    """

    nats: float
    tokens: int
    right: int
    bytes: int
    gzip_bytes: int

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.bytes

    @property
    def gzip_bits_per_byte(self) -> float:
        return 8.0 * self.gzip_bytes / self.bytes

    @property
    def loss(self) -> float:
        """Mean nats a token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        return perplexity(self.nats, self.tokens)

    @property
    def accuracy(self) -> float:
        """Share of the tokens that the model gave the highest probability."""
        return self.right / self.tokens


def code_length(
    model,
    documents: list[np.ndarray],
    decode_bytes: Callable[[np.ndarray], bytes],
    *,
    eos_token_id: int,
    window: int,
    stride: int,
    vocab_size: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> CodeLength:
    """The code length of documents. Each is preceded by an end token and followed by one.

    documents: int arrays (n,), with or without a final end token. The final end token counts, since
    a decoder would need it. decode_bytes: ids -> the bytes of their text. window, stride: see
    windows.strided. gzip compresses all documents as one stream. vocab_size, progress: see
    scoring.score. ValueError if the documents hold no text.
    """
    parts: list[bytes] = []
    rows: list[Row] = []
    for document in documents:
        text = document[:-1] if len(document) and document[-1] == eos_token_id else document
        parts.append(decode_bytes(text))
        sequence = np.concatenate([[eos_token_id], text, [eos_token_id]])
        rows += strided(sequence, window, stride)
    raw = b"".join(parts)
    if not raw:
        raise ValueError("the held-out documents hold no text")
    scores = score(model, rows, vocab_size=vocab_size, progress=progress)
    return CodeLength(
        float(scores.nats.sum()), sum(len(row.targets) for row in rows), int(scores.right.sum()),
        len(raw), len(gzip.compress(raw, 9)),
    )


def measure(config: EvaluationConfig, model, tokenizer) -> tuple[str, dict]:
    """Loss, accuracy and bits per byte of one split's documents, and gzip's bits per byte."""
    data, split_name = config.data, config.measure.split_name
    tokens = open_dataset(data.input_dir)
    check_tokenizer(tokens, tokenizer)
    bounds = split_bounds(split_shares(data.split), len(tokens))
    which = SPLITS.index(split_name)
    documents = [tokens.document(i) for i in range(bounds[which], bounds[which + 1])]
    require(len(documents) > 0, f"the {split_name} split of {tokens.prefix} is empty")
    window = window_of(model, data.max_seq_len)
    stride = config.measure.stride or max(1, window // 2)
    require(stride <= window, f"--stride {stride} is beyond the window of {window} tokens")
    result = code_length(
        model, documents, tokenizer.decode_bytes, eos_token_id=tokenizer.eos_token_id,
        window=window, stride=stride, vocab_size=tokenizer.vocab_size, progress=progress_bar(),
    )
    title = (f"{split_name} split: {len(documents)} files, {result.bytes:,} bytes, "
             f"{result.tokens:,} tokens, windows of {window} moved by {stride}")
    return files.table(title, [
        ("loss", result.loss, "nats a token"),
        ("perplexity", result.perplexity, "a token"),
        ("token accuracy", result.accuracy, "of the tokens were the likeliest"),
        ("bits per byte", result.bits_per_byte, ""),
        ("gzip -9", result.gzip_bits_per_byte, "bits per byte on the same files"),
    ]), {
        "input_dir": data.input_dir, "shares": data.split, "split": split_name,
        "files": len(documents), "bytes": result.bytes,
        "tokens": result.tokens, "loss": result.loss, "perplexity": result.perplexity,
        "accuracy": result.accuracy, "bits_per_byte": result.bits_per_byte,
        "gzip_bits_per_byte": result.gzip_bits_per_byte, "window": window, "stride": stride,
    }
