"""Generation by paddle_impl: its generate(), its logits filters, and logits through the cache."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding import sampling
from paddle_impl.decoding.processors import process
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.decoding.sequences import SampleState
from paddle_impl.export import export_model, files
from paddle_impl.export.running import continue_prompts
from paddle_impl.generate import generate
from parity.cases import Case
from parity.cases import generation as cases
from parity.cases.generation import Setting
from parity.compare import Point, Trace
from parity.paddle_side import weights


def greedy(case: Case, dtype: str) -> Trace:
    """Token ids and mean log-probability of every prompt and setting."""
    return _continuations(case, dtype, cases.GREEDY)


def sampled(case: Case, dtype: str) -> Trace:
    """The same for sampled continuations, whose tokens are chosen by shared uniform draws."""
    return _continuations(case, dtype, cases.SAMPLED)


def exported(case: Case, dtype: str) -> Trace:
    """Continuations by a static graph: the model is exported, and the folder is read again."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "exported"
        export_model(weights.build(case, dtype), Tokenizer.byte_level(), directory)
        export = files.read(directory)
        for name, setting in cases.EXPORTED.items():
            prompts = [[token % setting.vocab_size for token in prompt] for prompt in cases.PROMPTS]
            found = continue_prompts(directory, export, prompts, _decoding(setting, None, False),
                                     draws=lambda number: _draws)
            for number, own in enumerate(found):
                trace |= _points(f"{name}, prompt {number}", own)
    return trace


def cached_logits(case: Case, dtype: str) -> Trace:
    """Logits (1, T, V) of one sequence that is fed through the cache in chunks of several sizes."""
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
            left = sampling.probabilities(
                logits, temperature=setting.temperature, k=setting.top_k, p=setting.top_p
            )
            chosen = sampling.choose(left, cases.FILTER_DRAWS)
            left = left / left.sum(axis=-1, keepdims=True)
            trace[Point(0, "filtered", f"{name}, {kind} logits")] = left
            trace[Point(0, "chosen ids", f"{name}, {kind} logits")] = chosen
    logits = cases.FILTER_LOGITS
    for name, decoding in cases.PROCESSORS.items():
        for kind, scores in (("logits", logits),
                             ("log-probabilities", sampling.log_softmax(logits))):
            left = process(scores, cases.HISTORIES.tolist(), cases.NEW, decoding)
            trace[Point(0, "filtered", f"{name}, {kind}")] = np.exp(sampling.log_softmax(left))
    trace[Point(0, "chosen ids", "greedy among equals")] = np.array(
        [_likeliest(row) for row in cases.TIED_LOGITS])
    return trace


def _likeliest(logits: np.ndarray) -> int:
    state = SampleState([1], Decoding(1))
    state.advance(logits[None])
    return state.results()[0].token_ids[0]


def _continuations(case: Case, dtype: str, settings: dict[str, Setting]) -> Trace:
    model = weights.build(case, dtype)
    model.train()  # as during training, so that generate() must stop dropout
    trace: Trace = {}
    for name, setting in settings.items():
        for number, prompt in enumerate(cases.PROMPTS):
            drawn = settings is cases.SAMPLED
            end = None
            if setting.ends:
                free = replace(setting, ends=False, min_new_tokens=0)
                end = cases.end_token(_generate(model, prompt, free, None, drawn)[0].token_ids)
            found = _generate(model, prompt, setting, end, drawn)
            trace |= _points(f"{name}, prompt {number}", found)
    return trace


def _points(at: str, found: list[Continuation]) -> Trace:
    trace: Trace = {}
    for sequence, one in enumerate(found):
        name = f"{at}, sequence {sequence}"
        reasons = [one.finish_reason == reason for reason in ("eos", "length")]
        trace[Point(0, "chosen ids", name)] = np.array([*one.token_ids, -1])
        trace[Point(0, "ended", name)] = np.asarray(reasons)
        trace[Point(0, "score", name)] = np.asarray(one.score)
    return trace


def _generate(
    model, prompt: list[int], setting: Setting, end: int | None, drawn: bool
) -> list[Continuation]:
    own = [token % setting.vocab_size for token in prompt]
    return generate(model, [own], _decoding(setting, end, drawn), draws=lambda number: _draws)[0]


def _decoding(setting: Setting, end: int | None, drawn: bool) -> Decoding:
    return Decoding(
        setting.max_new_tokens, strategy="sampling" if drawn else "greedy_search",
        min_new_tokens=setting.min_new_tokens, num_return_sequences=setting.sequences,
        temperature=setting.temperature, top_k=setting.top_k, top_p=setting.top_p,
        eos_token_ids=() if end is None else (end,), vocab_size=setting.vocab_size,
    )


def _draws(step: int, sequences: int) -> np.ndarray:
    return cases.DRAWS[step, :sequences]
