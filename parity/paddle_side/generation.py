"""Continuations by paddle_impl's generate; its logits filters; sequences through the cache."""

from dataclasses import replace

import numpy as np
import paddle

from paddle_impl.decoding import sampling
from paddle_impl.generate import Continuation, generate
from parity.cases import MODEL, Case
from parity.cases import generation as cases
from parity.cases.generation import Setting
from parity.compare import Point, Trace
from parity.paddle_side import weights


def greedy(case: Case, dtype: str) -> Trace:
    """Token ids and mean log-probability of every prompt and setting."""
    return _continuations(case, dtype, cases.GREEDY)


def sampled(case: Case, dtype: str) -> Trace:
    """The same, each token drawn with a shared number."""
    return _continuations(case, dtype, cases.SAMPLED)


def cached_logits(case: Case, dtype: str) -> Trace:
    """(1, T, V) of one sequence fed in several ways: in chunks, and token by token."""
    model = weights.build(case, dtype)
    trace: Trace = {}
    length = sum(cases.CHUNKS)
    ways = {"in chunks": cases.CHUNKS, "token by token": (1,) * length}
    for row, (name, sizes) in enumerate(ways.items()):
        ids = case.batch["input_ids"][row, None, :length]
        cache = model.new_cache()
        with paddle.no_grad():
            parts = [model(paddle.to_tensor(part), cache).numpy()
                     for part in np.split(ids, np.cumsum(sizes)[:-1], axis=1)]
        trace[Point(0, "logits", name)] = np.concatenate(parts, axis=1)
    return trace


def filters(case: Case, dtype: str) -> Trace:
    """Probabilities (rows, V) that each filter leaves, and the tokens that shared draws choose."""
    trace: Trace = {}
    for name, setting in cases.FILTERS.items():
        for kind in ("plain",) if setting.top_p < 1.0 else ("plain", "tied"):
            logits = cases.TIED_LOGITS if kind == "tied" else cases.FILTER_LOGITS
            left = np.exp(sampling.log_softmax(logits / setting.temperature))
            left = sampling.top_p(sampling.top_k(left, setting.top_k), setting.top_p)
            left = left / left.sum(axis=-1, keepdims=True)
            trace[Point(0, "filtered", f"{name}, {kind} logits")] = left
            chosen = sampling.sample(logits, cases.FILTER_DRAWS, temperature=setting.temperature,
                                     k=setting.top_k, p=setting.top_p)
            trace[Point(0, "chosen ids", f"{name}, {kind} logits")] = chosen
    first = [generate(_Fixed(row), [1], max_new_tokens=1)[0].token_ids for row in cases.TIED_LOGITS]
    trace[Point(0, "chosen ids", "greedy among equals")] = np.array(first)[:, 0]
    return trace


class _Fixed(paddle.nn.Layer):
    """A model whose logits are given: no weights make several of them equal."""

    config = MODEL

    def __init__(self, row: np.ndarray):
        super().__init__()
        self.row = paddle.to_tensor(row)

    def forward(self, input_ids, cache):
        return self.row.reshape([1, 1, -1])

    def new_cache(self) -> list:
        return []


def _continuations(case: Case, dtype: str, settings: dict[str, Setting]) -> Trace:
    model = weights.build(case, dtype)
    model.train()  # as in the middle of training: generate must stop the dropout
    trace: Trace = {}
    for name, setting in settings.items():
        for number, prompt in enumerate(cases.PROMPTS):
            drawn = settings is cases.SAMPLED
            end = None
            if setting.ends:
                free = replace(setting, ends=False, min_new_tokens=0)
                end = cases.end_token(_generate(model, prompt, free, None, drawn)[0].token_ids)
            for sequence, one in enumerate(_generate(model, prompt, setting, end, drawn)):
                at = f"{name}, prompt {number}, sequence {sequence}"
                reasons = [one.finish_reason == reason for reason in ("eos", "length")]
                trace[Point(0, "chosen ids", at)] = np.array([*one.token_ids, -1])
                trace[Point(0, "ended", at)] = np.asarray(reasons)
                trace[Point(0, "score", at)] = np.asarray(one.score)
    return trace


def _generate(
    model, prompt: list[int], setting: Setting, end: int | None, drawn: bool
) -> list[Continuation]:
    return generate(
        model, [token % setting.vocab_size for token in prompt],
        max_new_tokens=setting.max_new_tokens, min_new_tokens=setting.min_new_tokens,
        sequences=setting.sequences, temperature=setting.temperature, top_k=setting.top_k,
        top_p=setting.top_p, eos_token_id=end, vocab_size=setting.vocab_size,
        draws=(lambda step, sequences: cases.DRAWS[step, :sequences]) if drawn else None,
    )
