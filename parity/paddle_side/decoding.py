"""Generation with 200 tiny models: paddle_impl's generate, all prompts of a model in one batch.

The decoder is the one in plain Paddle. The rungs "greedy" and "sampled" use the one that `auto`
chooses.
"""

from functools import partial

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM
from parity.cases import Case
from parity.cases import decoding as cases
from parity.compare import Trace
from parity.paddle_side import weights


def many(case: Case, dtype: str) -> Trace:
    """Greedy and sampled continuations; the sampled tokens are chosen by shared uniform draws."""
    trace: Trace = {}
    for tiny in cases.models(case):
        model = _model(tiny, dtype)
        # The batch has room for two prompts, so the next one begins while others are under way.
        ways = {"greedy": _generate(model, tiny.prompts, tiny.greedy, rows=2),
                "sampled": _generate(model, tiny.drawn, tiny.sampled)}
        for name, found in ways.items():
            for number, own in enumerate(found):
                trace |= _points(f"{tiny.name}, {name}, prompt {number}", own)
    return trace


def beam(case: Case, dtype: str) -> Trace:
    """Every beam that is returned, and its score."""
    trace: Trace = {}
    for tiny in cases.models(case):
        model = _model(tiny, dtype)
        for number, own in enumerate(_generate(model, tiny.searched, tiny.beam)):
            trace |= _points(f"{tiny.name}, prompt {number}", own)
    return trace


def other_beams(case: Case, dtype: str) -> Trace:
    """Beam searches by the two conventions that transformers does not have."""
    trace: Trace = {}
    for tiny in cases.models(case)[: cases.EACH_OTHER]:
        model = _model(tiny, dtype)
        for name, decoding in tiny.others().items():
            for number, own in enumerate(_generate(model, tiny.searched, decoding)):
                trace |= _points(f"{tiny.name}, {name}, prompt {number}", own)
    return trace


def _model(tiny: cases.Tiny, dtype: str) -> GPTForCausalLM:
    model = weights.build(tiny.case, dtype)
    model.train()  # as during training, so that the decoder must stop dropout
    return model


def _generate(model, prompts, decoding: Decoding, **more) -> list[list[Continuation]]:
    return generate(model, prompts, decoding, decoder="paddle",
                    draws=lambda number: partial(_draws, number), **more)


def _draws(number: int, step: int, sequences: int) -> np.ndarray:
    return cases.DRAWS[number, step, :sequences]


def _points(at: str, found: list[Continuation]) -> Trace:
    return cases.points(at, [one.token_ids for one in found],
                        [one.finish_reason == "eos" for one in found],
                        [one.score for one in found])
