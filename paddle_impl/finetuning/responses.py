"""What a model in training answers to prompts of the held-out data."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data_tools.files import whole_file
from data_tools.instructions.encoding import Encoder
from data_tools.instructions.examples import Record, in_file_order
from data_tools.instructions.records import Instruction, read_instructions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.options import require, split_shares
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.decoding.sequences import Draws
from paddle_impl.generate import generate
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.text.generator import TextGenerator

FILE = "instruction-data-with-response.json"  # rasbt's name


class Responder:
    """Answers records as the flags say, the same at every call with the same weights and step."""

    def __init__(self, encoder: Encoder, options: DecodingOptions, seed: int, ranks: Ranks):
        self._encoder, self._options, self._seed, self._ranks = encoder, options, seed, ranks

    def answer(
        self, model, records: Sequence[Record], step: int
    ) -> list[tuple[np.ndarray, str]] | None:
        """(ids of the prompt, response without white space around it) of each record.

        A prompt that leaves no room for an answer in the model's positions loses its start. Every
        process calls it; those of the main process's tensor parallel group compute, the others
        return None at once. The mode of the model is restored.
        """
        if 0 not in self._ranks.model.members:
            return None
        tokenizer, training = self._encoder.tokenizer, model.training
        decoding = self._options.settings(
            end_tokens(model.config, tokenizer), min(tokenizer.vocab_size, model.config.vocab_size))
        positions = model.config.n_positions
        room = positions - min(decoding.max_new_tokens, positions // 2)
        prompts = [self._encoder.prompt(record)[-room:] for record in records]
        try:
            found = generate(model, [ids.tolist() for ids in prompts], decoding,
                             draws=partial(self._draws, step), decode_bytes=tokenizer.decode_bytes)
        finally:
            if training:
                model.train()
        return [(ids, one.text.strip()) for ids, (one,) in zip(prompts, found, strict=True)]

    def _draws(self, step: int, number: int) -> Draws:
        stream = np.random.default_rng([self._seed, step, number])
        return lambda _, sequences: stream.random(sequences)


def answer_file(
    generator: TextGenerator, path: str, split: str, output_file: str, options: DecodingOptions,
    seed: int,
) -> None:
    """Answer the records of the test part of a file, and write them with the answers.

    split: shares for training, test and validation, in the order of the file. ValueError for a file
    that has no records there, and for a model without a chat template.
    """
    encoder = Encoder.of_tokenizer(generator.tokenizer)
    _, records, _ = in_file_order(read_instructions(path), split_shares(split))
    require(len(records) > 0, f"--split {split} leaves no records of {path} for the test")
    found = Responder(encoder, options, seed, Ranks()).answer(generator.model, records, 0)
    write(Path(output_file), records, [text for _, text in found])


def write(path: Path, records: Sequence[Record], responses: Sequence[str]) -> None:
    """The records as rasbt's file has them, each with its model_response."""
    told = [_fields(record) | {"model_response": response}
            for record, response in zip(records, responses, strict=True)]
    with whole_file(path) as file:
        file.write(json.dumps(told, indent=4, ensure_ascii=False).encode())


def _fields(record: Record) -> dict:
    if isinstance(record, Instruction):
        return {"instruction": record.instruction, "input": record.input, "output": record.output}
    return {"messages": [message._asdict() for message in record.messages]}
