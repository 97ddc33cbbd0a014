"""Continue a prompt with a key-value cache: greedy or sampled, until the end token."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import paddle

from paddle_impl.decoding import sampling

# (step, sequences) -> uniform draws in [0, 1), one a sequence
Draws = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Continuation:
    """New tokens without the end token, and the mean log-probability of all that were chosen."""

    token_ids: list[int]
    score: float
    finish_reason: str  # "eos" or "length"


def uniform_draws(seed: int, prompt_index: int) -> Draws:
    """Draws from one numpy stream a prompt, so that prompts do not change each other's text."""
    stream = np.random.default_rng([seed, prompt_index])
    return lambda step, sequences: stream.random(sequences)


@paddle.no_grad()
def generate(
    model,
    prompt: list[int],
    *,
    max_new_tokens: int,
    min_new_tokens: int = 0,
    sequences: int = 1,
    draws: Draws | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    eos_token_id: int | None = None,
    vocab_size: int | None = None,
) -> list[Continuation]:
    """Continuations of one prompt, greedy without `draws`, else sampled with them.

    Ids at and above vocab_size are padding of the embedding and are never chosen. ValueError for a
    prompt that is empty, holds an unknown id, or leaves no position for a new token; fewer tokens
    than max_new_tokens come where the positions end.
    """
    config = model.config
    vocab_size = vocab_size or config.vocab_size
    if not prompt:
        raise ValueError("the prompt has no tokens")
    if min(prompt) < 0 or max(prompt) >= vocab_size:
        raise ValueError(f"the prompt holds an id outside the vocabulary 0 to {vocab_size - 1}")
    room = config.n_positions - len(prompt)
    if room < 1:
        raise ValueError(
            f"the prompt has {len(prompt)} tokens; the model has {config.n_positions} positions "
            "and needs one for the first new token"
        )
    model.eval()
    cache = model.new_cache()
    logits = _last_logits(model, [prompt], cache)  # (1, V)
    cache[:] = [tuple(_repeat(part, sequences) for part in pair) for pair in cache]
    logits = np.repeat(logits, sequences, axis=0)  # (N, V)

    chosen = np.zeros((sequences, 0), np.int64)
    scores = np.zeros((sequences, 0))
    alive = np.ones(sequences, bool)
    lengths = np.zeros(sequences, np.int64)  # tokens chosen so far, the end token included
    for step in range(min(max_new_tokens, room)):
        logits = sampling.ban(logits, slice(vocab_size, None))
        if eos_token_id is not None and step < min_new_tokens:
            logits = sampling.ban(logits, [eos_token_id])
        if draws is None:
            token = logits.argmax(axis=-1)
        else:
            token = sampling.sample(
                logits, draws(step, sequences), temperature=temperature, k=top_k, p=top_p
            )
        logp = np.take_along_axis(sampling.log_softmax(logits), token[:, None], axis=-1)
        chosen = np.concatenate([chosen, token[:, None]], axis=1)
        scores = np.concatenate([scores, np.where(alive[:, None], logp, 0.0)], axis=1)
        lengths += alive
        if eos_token_id is not None:
            alive &= token != eos_token_id
        if not alive.any() or step + 1 == min(max_new_tokens, room):
            break
        logits = _last_logits(model, token[:, None], cache)
    return [
        Continuation(
            [int(t) for t in chosen[i, : lengths[i] - (0 if alive[i] else 1)]],
            float(scores[i].sum() / lengths[i]),
            "length" if alive[i] else "eos",
        )
        for i in range(sequences)
    ]


def _last_logits(model, tokens, cache) -> np.ndarray:
    """Feed tokens (N, T) into the cache; logits of the last position, (N, V)."""
    logits = model(paddle.to_tensor(np.asarray(tokens, np.int64)), cache)[:, -1]
    # numpy has no bfloat16, and would be given its bits as integers.
    return (logits.astype("float32") if logits.dtype == paddle.bfloat16 else logits).numpy()


def _repeat(tensor: paddle.Tensor, times: int) -> paddle.Tensor:
    return paddle.concat([tensor] * times, axis=0)
