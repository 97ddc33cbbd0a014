"""Pairs of a preferred and another output: one of them is the record's, the other is rewritten."""

from __future__ import annotations

import hashlib
import random

from data_tools.endpoint import Endpoint
from data_tools.instructions.prompts import instruction_text
from data_tools.instructions.records import Instruction, read_instructions
from data_tools.synthesis.lines import DUPLICATE, EMPTY, Dropped, text_of
from data_tools.synthesis.options import SynthesisConfig

TIE = "tie"
POLITE, IMPOLITE = "polite", "impolite"
# Of "LLMs from scratch" (create-preference-data-ollama.ipynb), which lacks the spaces between the
# sentences and has "return" twice.
_PROMPT = ("Given the input `{prompt}` and correct output `{output}`, slightly rewrite the output "
           "to be more {politeness}. Keep the modification minimal. Only return the generated "
           "response and nothing else.")


class PreferenceMaker:
    """A lines.Maker: the pair of the record with that number."""

    def __init__(self, config: SynthesisConfig, endpoint: Endpoint):
        """ValueError for a file that cannot be read or has conversations in it."""
        self._config, self._endpoint = config, endpoint
        self._records = read_instructions(config.input_file)
        for one in self._records:
            if not isinstance(one, Instruction):
                raise ValueError(f"{one.place}: expected the fields instruction and output, got a "
                                 "conversation")
        texts = [(one.instruction, one.input, one.output) for one in self._records]
        self._first = {text: number for number, text in reversed([*enumerate(texts)])}
        self.total = len(texts)
        self.settings = {"records": hashlib.sha256(repr(texts).encode(
            errors="backslashreplace")).hexdigest()}

    def left(self, lines: list[dict]) -> range:
        return range(len(lines), self.total)

    async def make(self, number: int) -> dict:
        record = self._records[number]
        if not record.output.strip():
            raise Dropped(EMPTY)
        if self._first[record.instruction, record.input, record.output] != number:
            raise Dropped(DUPLICATE)
        # By number: the order in which answers arrive decides nothing.
        draw = random.Random(f"{self._config.seed} {number}")
        politeness = draw.choice((POLITE, IMPOLITE))
        rewritten = text_of(await self._endpoint.chat(
            _PROMPT.format(
                prompt=instruction_text("alpaca", record.instruction, record.input),
                output=record.output, politeness=politeness),
            temperature=self._config.drawn_temperature, seed=self._config.seed,
            max_tokens=self._config.max_tokens))
        if rewritten == record.output.strip():
            raise Dropped(TIE)
        both = (rewritten, record.output) if politeness == POLITE else (record.output, rewritten)
        return {"instruction": record.instruction, "input": record.input, "output": record.output,
                **dict(zip(("chosen", "rejected"), both, strict=True))}

    def settle(self, record: dict) -> None:
        """Pairs do not depend on each other."""
