"""Continue prompts with an exported model, as generate.generate does with one in memory."""

import json
from collections.abc import Callable
from pathlib import Path

from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.batch import Batch
from paddle_impl.decoding.beam import BeamState
from paddle_impl.decoding.prompt_state import Continuation, PromptState
from paddle_impl.decoding.sequences import Draws, SampleState
from paddle_impl.decoding.text import DecodeBytes
from paddle_impl.export.decoder import ExportedDecoder
from paddle_impl.export.files import Export
from paddle_impl.generate import ROWS, fitted


def continue_prompts(
    directory: Path,
    export: Export,
    prompts: list[list[int]],
    decoding: Decoding,
    draws: Callable[[int], Draws],
    decode_bytes: DecodeBytes | None = None,
) -> list[list[Continuation]]:
    """Continuations of each prompt, in order; ValueErrors are those of generate.

    export: of files.read(directory). draws: prompt number -> its Draws, for sampling.
    decode_bytes: a tokenizer's, for texts and stop strings.
    """
    config = ModelConfig.from_hf(json.loads((directory / "config.json").read_text("utf-8")))
    states: list[PromptState] = []
    positions = 0
    for number, prompt in enumerate(prompts):
        own = fitted(decoding, prompt, config)
        positions = max(positions, len(prompt) + own.max_new_tokens)
        if own.strategy == "beam_search":
            states.append(BeamState(prompt, own, decode_bytes))
        else:
            states.append(SampleState(prompt, own, draws(number), decode_bytes))
    rows = min(max(ROWS, decoding.width), len(states) * decoding.width)
    batch = Batch(ExportedDecoder(directory, export, rows, positions))
    for state in states:
        batch.add(state)
    while batch.active or batch.waiting:
        batch.step()
    return [state.results() for state in states]
