"""Instructions that an aligned model makes up, and its answers (Magpie, Xu et al. 2024).

Behind the beginning of a user's message such a model writes a message. That takes raw completions:
in a chat, the server would put the beginning into a message of its own.
"""

from __future__ import annotations

from data_tools.endpoint import Answer, Endpoint
from data_tools.synthesis.lines import CUT_OFF, DUPLICATE, EMPTY, Dropped, key_of, text_of
from data_tools.synthesis.options import END_OF_TURN, SynthesisConfig

TOO_SHORT = "too short"


class MagpieMaker:
    """A lines.Maker: a number is that of a draw, whose seed is --seed + number."""

    settings: dict = {}

    def __init__(self, config: SynthesisConfig, endpoint: Endpoint):
        self._config, self._endpoint = config, endpoint
        self.total = config.count
        self._most = config.max_draws or 10 * config.count
        self._known: set[str] = set()

    def left(self, lines: list[dict]) -> range:
        missing = self.total - sum("record" in line for line in lines)
        return range(len(lines), min(len(lines) + missing, self._most))

    async def make(self, number: int) -> dict:
        config = self._config
        instruction = self._instruction(await self._endpoint.complete(
            config.pre_query, temperature=config.drawn_temperature, seed=config.seed + number,
            max_tokens=config.max_tokens, stop=config.stop or [END_OF_TURN]))
        if len(instruction) < config.min_chars:
            raise Dropped(TOO_SHORT)
        self._refuse_known(instruction)  # before its answer is paid for
        output = text_of(await self._endpoint.chat(
            instruction, temperature=0, seed=config.seed, max_tokens=config.max_tokens))
        return {"instruction": instruction, "output": output}

    def settle(self, record: dict) -> None:
        self._refuse_known(record["instruction"])
        self._known.add(key_of(record["instruction"]))

    def _refuse_known(self, instruction: str) -> None:
        if key_of(instruction) in self._known:
            raise Dropped(DUPLICATE)

    def _instruction(self, drawn: Answer) -> str:
        if self._config.whole_instruction:
            return text_of(drawn)
        line, ended, _ = drawn.text.lstrip().partition("\n")
        if not line:
            raise Dropped(EMPTY)
        if not ended and not drawn.finished:
            raise Dropped(CUT_OFF)
        return line.strip()
