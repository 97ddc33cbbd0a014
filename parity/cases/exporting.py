"""Batches of prompts for an exported model, whose tokenizer has fewer tokens than the model."""

import numpy as np

from paddle_impl.config.decoding import Decoding
from parity.cases import MODEL

VOCABULARY = 257
ENDS = tuple(range(0, VOCABULARY, 4))  # which the checkpoint declares
_rng = np.random.default_rng(79)
# Two of one length, which the graph is fed together; the last has room for four tokens.
PROMPTS = [_rng.integers(0, VOCABULARY, size).tolist()
           for size in (1, 9, 40, 9, MODEL.n_positions - 4)]
_DRAWS = _rng.random((MODEL.n_positions, 3))

SETTINGS = {
    "greedy": Decoding(12, vocab_size=VOCABULARY),
    "end tokens": Decoding(12, min_new_tokens=2, eos_token_ids=ENDS, vocab_size=VOCABULARY),
    "sampled": Decoding(8, strategy="sampling", num_return_sequences=3, temperature=0.7, top_k=40,
                        eos_token_ids=ENDS, vocab_size=VOCABULARY),
    "beams": Decoding(8, strategy="beam_search", num_beams=4, num_return_sequences=2,
                      vocab_size=VOCABULARY),
}


def draws(number: int) -> np.ndarray:
    """(step, sequence) -> the uniform draw of that prompt."""
    return _DRAWS[number:]
