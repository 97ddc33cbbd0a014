"""A model with more than two blocks of PaddleDecoder's cache, and prompts that meet their ends.

A block has 64 positions. The rows of a batch have different lengths, so that one of them fills the
room that there is while others do not.
"""

from functools import cache

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from parity.cases import DROPOUT, LAYER_NORM_EPSILON, Case, drawing

ROWS = 3  # fewer than there are prompts in one of the batches
# No whole number of blocks; heads of 13 numbers, which are no whole number of vectors.
SHAPE = ModelConfig(
    n_layer=2, n_embd=39, n_head=3, vocab_size=97, n_positions=150, n_inner=101,
    embd_pdrop=DROPOUT, attn_pdrop=DROPOUT, resid_pdrop=DROPOUT,
    layer_norm_epsilon=LAYER_NORM_EPSILON, bos_token_id=None, eos_token_id=None,
)
# name -> (lengths of the prompts, setting)
BATCHES = {
    "over 64": ((60, 2, 40), Decoding(30, vocab_size=97)),
    "over 128, to the last position": ((125, 63, 3, 60), Decoding(68, vocab_size=97)),
    "beams over 64": ((59, 20), Decoding(
        9, strategy="beam_search", num_beams=3, num_return_sequences=2, vocab_size=97)),
    "sampled over 128": ((122, 100), Decoding(
        12, strategy="sampling", num_return_sequences=2, temperature=1.5, top_k=20,
        vocab_size=97)),
}
_STD = {"std_0.02": 0.25, "std_0.2": 0.5}


@cache
def model(name: str) -> Case:
    """The model that goes with the fixture of this name. Its weights decide each choice clearly."""
    weights = drawing.weights(SHAPE, _STD[name], np.random.default_rng(6413))
    return Case(f"{name}, {SHAPE.n_positions} positions", SHAPE, weights, {}, [], 1.0, {})


def prompts(lengths: tuple[int, ...]) -> list[list[int]]:
    rng = np.random.default_rng(list(lengths))
    return [rng.integers(0, SHAPE.vocab_size, length).tolist() for length in lengths]
