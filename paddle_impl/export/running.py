"""Continue prompts with an exported model, as generate.generate does with one in memory."""

from collections.abc import Callable
from pathlib import Path

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.decoding.sequences import Draws
from paddle_impl.decoding.text import DecodeBytes
from paddle_impl.export.decoder import ExportedDecoder
from paddle_impl.export.files import Export
from paddle_impl.generate import decoder_size, fitted, generate


def continue_prompts(
    directory: Path,
    export: Export,
    prompts: list[list[int]],
    decoding: Decoding,
    draws: Callable[[int], Draws],
    decode_bytes: DecodeBytes | None = None,
) -> list[list[Continuation]]:
    """Return the continuations of each prompt, in order. ValueErrors are those of generate.

    export: what files.read(directory) returned. draws: prompt number -> its Draws, for sampling.
    decode_bytes: a tokenizer's, for texts and stop strings.
    """
    for prompt in prompts:  # checked before the graph is loaded, which can take seconds
        fitted(decoding, prompt, export.vocab_size, export.positions)
    decoder = ExportedDecoder(directory, export, *decoder_size(prompts, decoding))
    return generate(decoder, prompts, decoding, draws=draws, decode_bytes=decode_bytes)
