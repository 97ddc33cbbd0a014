"""More rows for a vocabulary that has grown."""

import numpy as np
import paddle

from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPT

WTE = "transformer.wte.weight"


def grow_vocabulary(model: GPT, vocabulary: int | AnyTokenizer) -> None:
    """Give the embedding, and the head that is tied to it, rows for more tokens, in place.

    vocabulary: how many tokens the model is to have, or a tokenizer, for whose ids it gets rows if
    it lacks them. Old rows keep their bits, each new one is the mean of the old ones (Hewitt 2021,
    "Initializing New Word Embeddings for Pretrained Language Models"). Logits of old tokens may
    change in their last bit: a matrix product adds in another order when it is wider.
    `model.config.vocab_size` follows, so a checkpoint is saved with it. Build optimizers
    afterwards: they hold the parameters that they were given.

    The loss of a text of old tokens rises by at most ln(1 + n / V) with n new tokens beside V old
    ones. The head has no bias, so the logit of a new token is the mean m of the old logits l_i. By
    Jensen's inequality exp(m) <= (1 / V) sum exp(l_i), so the softmax's denominator grows from
    S = sum exp(l_i) to S + n exp(m) <= S (1 + n / V), and the loss by the logarithm of that factor.

    ValueError for fewer rows than there are, for a model that is split over processes (it can be
    loaded with more rows, see `hugging_face.load_weights`), and for one that is not float32 or
    float64.
    """
    old = model.transformer.wte.weight
    dtype = str(old.dtype).rpartition(".")[2]
    config = model.config.with_(vocab_size=vocabulary) if isinstance(vocabulary, int) \
        else grown_config(model.config, vocabulary)
    if model.parts.degree > 1:
        raise ValueError(f"a model that --mp_degree {model.parts.degree} splits cannot be resized: "
                         "resize it in one process, save it, and load it into the split model")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"only a float32 or float64 model can be resized, this one is {dtype}")
    rows = grown(old.numpy(), config.vocab_size, dtype)
    if config.vocab_size == model.config.vocab_size:
        return
    weight = paddle.create_parameter(list(rows.shape), dtype,
                                     default_initializer=paddle.nn.initializer.Assign(rows))
    weight.stop_gradient = old.stop_gradient
    model.transformer.wte.weight = weight
    model.config = model.transformer.config = config


def grown_config(config: ModelConfig, tokenizer: AnyTokenizer) -> ModelConfig:
    """The configuration with a row for each of the tokenizer's ids, and all rows that it has."""
    return config.with_(vocab_size=max(config.vocab_size, tokenizer.vocab_size))


def grown(rows: np.ndarray, vocab_size: int, dtype: str) -> np.ndarray:
    """(V, C) -> (vocab_size, C) of that type: the rows, and their mean for each that is missing.

    The mean is taken in float64 and rounded once. ValueError where rows would be lost.
    """
    if (missing := vocab_size - len(rows)) < 0:
        raise ValueError(f"{len(rows)} rows of {WTE} cannot become {vocab_size}: "
                         "the last tokens would be lost")
    if not missing:
        return rows.astype(dtype, copy=False)
    mean = rows.mean(axis=0, dtype=np.float64).astype(dtype)
    return np.concatenate([rows.astype(dtype, copy=False), np.tile(mean, (missing, 1))])
