"""More rows for a vocabulary that has grown."""

import numpy as np
import paddle

from paddle_impl.model import GPT

WTE = "transformer.wte.weight"


def resize_token_embeddings(model: GPT, vocab_size: int) -> None:
    """Give the embedding, and the head that is tied to it, rows for `vocab_size` tokens, in place.

    Old rows keep their bits, each new one is the mean of the old ones, so the logit of a new token
    is the mean of the others' (Hewitt 2021, "Initializing New Word Embeddings for Pretrained
    Language Models"). Logits of old tokens may change in their last bit: a matrix product adds in
    another order when it is wider. `model.config.vocab_size` follows. Build optimizers afterwards:
    they hold the parameters that they were given.
    ValueError for fewer rows than there are, for a model that is split over processes, and for one
    that is not float32 or float64.
    """
    old = model.transformer.wte.weight
    dtype = str(old.dtype).rpartition(".")[2]
    if model.parts.degree > 1:
        raise ValueError(f"a model that --mp_degree {model.parts.degree} splits cannot be resized: "
                         "resize it in one process, save it, and load it into the split model")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"only a float32 or float64 model can be resized, this one is {dtype}")
    rows = grown(old.numpy(), vocab_size, dtype)
    if vocab_size == model.config.vocab_size:
        return
    weight = paddle.create_parameter(list(rows.shape), dtype,
                                     default_initializer=paddle.nn.initializer.Assign(rows))
    weight.stop_gradient = old.stop_gradient
    model.transformer.wte.weight = weight
    model.config = model.transformer.config = model.config.with_(vocab_size=vocab_size)


def grown(rows: np.ndarray, vocab_size: int, dtype: str) -> np.ndarray:
    """(V, C) -> (vocab_size, C) of that type: the rows, and their mean for each that is missing.

    The mean is taken in float64 and rounded once. ValueError where rows would be lost.
    """
    if (missing := vocab_size - len(rows)) < 0:
        raise ValueError(f"{len(rows)} rows of {WTE} cannot become {vocab_size}: "
                         "the last tokens would be lost")
    mean = rows.mean(axis=0, dtype=np.float64).astype(dtype)
    return np.concatenate([rows.astype(dtype, copy=False), np.tile(mean, (missing, 1))])
