"""Generation with 200 tiny models: paddle_impl's generate, all prompts of a model in one batch.

The decoder is the one in plain Paddle, for some models the one in C++ too. The rungs "greedy" and
"sampled" use the one that `auto` chooses.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM
from parity.cases import Case, stops
from parity.cases import blocks as fixtures
from parity.cases import decoding as cases
from parity.compare import Trace
from parity.paddle_side import weights


def many(case: Case, dtype: str) -> Trace:
    """Greedy and sampled continuations; the sampled tokens are chosen by shared uniform draws."""
    trace: Trace = {}
    for tiny in cases.models(case):
        model = _model(tiny.case, dtype)
        for decoder in tiny.decoders:
            # The batch has room for two prompts: the next one begins while others are under way.
            ways = {"greedy": _generate(model, tiny.prompts, tiny.greedy, decoder, rows=2),
                    "sampled": _generate(model, tiny.drawn, tiny.sampled, decoder)}
            for name, found in ways.items():
                trace |= _points(f"{decoder}: {tiny.name}, {name}", found)
    return trace


def beam(case: Case, dtype: str) -> Trace:
    """Every beam that is returned, and its score."""
    trace: Trace = {}
    for tiny in cases.models(case):
        model = _model(tiny.case, dtype)
        for decoder in tiny.decoders:
            found = _generate(model, tiny.searched, tiny.beam, decoder)
            trace |= _points(f"{decoder}: {tiny.name}", found)
    return trace


def other_beams(case: Case, dtype: str) -> Trace:
    """Beam searches by the two conventions that transformers does not have."""
    trace: Trace = {}
    for tiny in cases.models(case)[: cases.EACH_OTHER]:
        model = _model(tiny.case, dtype)
        for name, decoding in tiny.others().items():
            trace |= _points(f"{tiny.name}, {name}", _generate(model, tiny.searched, decoding))
    return trace


def blocks(case: Case, dtype: str) -> Trace:
    """Batches of prompts of different lengths, over the ends of the cache's blocks."""
    trace: Trace = {}
    model = _model(fixtures.model(case.name), dtype)
    for name, (lengths, decoding) in fixtures.BATCHES.items():
        for decoder in cases.DECODERS:
            found = _generate(model, fixtures.prompts(lengths), decoding, decoder,
                              rows=fixtures.ROWS)
            trace |= _points(f"{decoder}: {name}", found)
    return trace


def stopped(case: Case, dtype: str) -> Trace:
    """Greedy continuations that end at a stop string: their tokens, their text without it."""
    trace: Trace = {}
    for tiny in stops.tiny_models(case):
        decoding = replace(stops.setting(tiny), stop=stops.STOPS)
        found = _generate(_model(tiny.case, dtype), tiny.prompts, decoding,
                          decode_bytes=stops.decode_bytes)
        for number, (one,) in enumerate(found):
            at = f"{tiny.name}, prompt {number}"
            trace |= stops.points(at, one.token_ids, one.finish_reason == "stop", one.text,
                                  one.score)
    return trace


def _model(case: Case, dtype: str) -> GPTForCausalLM:
    model = weights.build(case, dtype)
    model.train()  # as during training, so that the decoder must stop dropout
    return model


def _generate(
    model, prompts, decoding: Decoding, decoder: str = cases.DECODERS[0], **more
) -> list[list[Continuation]]:
    return generate(model, prompts, decoding, decoder=decoder,
                    draws=lambda number: partial(_draws, number), **more)


def _draws(number: int, step: int, sequences: int) -> np.ndarray:
    return cases.DRAWS[number, step, :sequences]


def _points(at: str, found: list[list[Continuation]]) -> Trace:
    """found: the continuations of each prompt."""
    trace: Trace = {}
    for number, own in enumerate(found):
        trace |= cases.points(f"{at}, prompt {number}", [one.token_ids for one in own],
                              [one.finish_reason == "eos" for one in own],
                              [one.score for one in own])
    return trace
