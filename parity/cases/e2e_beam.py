"""Beam searches by microsoft/LoRA's recipe for E2E, with small models that end and repeat."""

from dataclasses import replace

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from parity.cases import DROPOUT, LAYER_NORM_EPSILON, Case
from parity.cases.drawing import shapes

DECODERS = ("paddle", "native")
RECIPE = Decoding(
    strategy="beam_search", beam_score="lora", num_beams=10, num_return_sequences=1,
    length_penalty=0.8, no_repeat_ngram_size=4, max_new_tokens=64, eos_token_ids=(3, 17, 22, 36))
# What differs from it, by the number of the model; the last has no end token at all.
CHANGES = ({}, {"repetition_penalty": 1.3, "min_new_tokens": 6},
           {"length_penalty": 2.0, "min_new_tokens": 20},
           {"eos_token_ids": (), "no_repeat_ngram_size": 2})
_SHAPE = ModelConfig(
    n_layer=2, n_embd=16, n_head=2, vocab_size=40, n_positions=80, embd_pdrop=DROPOUT,
    attn_pdrop=DROPOUT, resid_pdrop=DROPOUT, layer_norm_epsilon=LAYER_NORM_EPSILON,
    bos_token_id=None, eos_token_id=None)
_STDS = {"std_0.02": 0.12, "std_0.2": 0.3}


def searches(case: Case) -> list[tuple[Case, list[list[int]], Decoding]]:
    """(model, prompts of different lengths, how they are continued)."""
    found = []
    for number, changes in enumerate(CHANGES):
        rng = np.random.default_rng([16, number])
        weights = {name: (_STDS[case.name] * rng.standard_normal(shape)).astype(np.float32)
                   for name, shape in shapes(_SHAPE).items()}
        prompts = [rng.integers(0, _SHAPE.vocab_size, length).tolist() for length in (1, 9, 16)]
        found.append((replace(case, config=_SHAPE, weights=weights), prompts,
                      replace(RECIPE, **changes)))
    return found
