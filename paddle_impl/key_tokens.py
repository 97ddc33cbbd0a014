"""A loss that counts a sample the more, the more key tokens are in it.

    mean over samples i of: (mean cross entropy of sample i) x alpha x (1 + key tokens in sample i)

Source: Hugging Face's NLP course, chapter 7.6, keytoken_weighted_loss.
"""

from collections.abc import Sequence

import numpy as np
import paddle

from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from paddle_impl.config.options import require
from paddle_impl.config.training import TrainingOptions
from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.layers import masks
from paddle_impl.objectives import CAUSAL_LM, Metrics, Objective, cross_entropy


def objective_of(options: TrainingOptions, tokenizer: AnyTokenizer | None) -> Objective:
    """The next token's cross entropy, weighted where --key_tokens names words.

    ValueError for a word that is not one token of the tokenizer, with and without a space before.
    """
    if not options.key_tokens:
        return CAUSAL_LM
    require(tokenizer is not None, "--key_tokens needs a tokenizer, and the data have none beside "
            "them: name it with --vocab_file and --merge_file")
    alpha = 1.0 if options.key_token_alpha is None else options.key_token_alpha
    return key_token_weighted(key_ids(options.key_tokens, tokenizer), alpha)


def key_ids(words: Sequence[str], tokenizer: AnyTokenizer) -> list[int]:
    """The ids of each word without and with a space before it; ValueError for one that is not a
    single token.
    """
    found = []
    for text in (space + word for word in words for space in ("", " ")):
        ids = [int(i) for i in tokenizer.encode(text)]
        require(len(ids) == 1, f"--key_tokens: {text!r} is {len(ids)} tokens of the tokenizer, a "
                "key is one: name another, or train a tokenizer in which it is one")
        found += ids
    return found


def key_token_weighted(keys: Sequence[int], alpha: float) -> Objective:
    """The objective for these ids. Its weight is the number of samples that have a label.

    The logged loss is the weighted one; `cross_entropy` beside it is the mean over all labels.
    """

    def loss(model, batch: dict[str, paddle.Tensor]) -> tuple[paddle.Tensor, Metrics]:
        """batch: as for objectives.causal_lm, each row a sample."""
        labels = batch["labels"]
        logits = model.own_logits(batch["input_ids"], **masks.of_batch(batch))  # (B, T, V / n)
        losses = cross_entropy(logits, labels, model.parts, model.config.vocab_size)  # (B, T)
        labelled = (labels != IGNORED).astype(losses.dtype).sum(axis=1)  # (B,)
        each = losses.sum(axis=1) / labelled.clip(min=1.0)
        weights = alpha * (1.0 + _counts(batch["input_ids"], labels, keys).astype(losses.dtype))
        return (each * weights).sum(), {"cross_entropy": (losses.sum(), labelled.sum())}

    return Objective(_samples, loss)


def _samples(batch: Batch) -> float:
    return float(np.any(batch["labels"] != IGNORED, axis=1).sum())


def _counts(input_ids: paddle.Tensor, labels: paddle.Tensor, keys: Sequence[int]) -> paddle.Tensor:
    """How many tokens of each sample are keys, int64 (B,): its first one, and each next one, which
    is the label or, where that is not counted in the loss, the next input.
    """
    following = paddle.concat([input_ids[:, 1:], labels[:, -1:]], axis=1)
    following = paddle.where(labels == IGNORED, following, labels)
    tokens = paddle.concat([input_ids[:, :1], following], axis=1)  # (B, T + 1)
    is_key = tokens.unsqueeze(-1) == paddle.to_tensor(list(keys), dtype="int64")
    return is_key.any(axis=-1).astype("int64").sum(axis=1)
