"""Records -> token ids, with which of them belong to a response.

A prompt and its answer are encoded apart and joined, so that the ids of the prompt are those that
the model is given when it is to answer. Every answer ends with the end token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data_tools.instructions.answers import answer_pieces
from data_tools.instructions.prompts import PROMPT_STYLES, instruction_text, prompt_text
from data_tools.instructions.records import Conversation, Instruction, Message
from data_tools.instructions.templates import TEMPLATES
from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from data_tools.tokenizing.chat_template import ChatTemplate, default_template

CHAT = "chat"
STYLES = (*PROMPT_STYLES, CHAT)
SIDES = ("prompt", "answer")


@dataclass(frozen=True)
class Encoded:
    """ids: (n,) int32. response: (n,) bool, the tokens of responses. begin: of the last answer."""

    ids: np.ndarray
    response: np.ndarray
    begin: int

    def within(self, most: int, side: str) -> Encoded:
        """At most so many tokens, see `window`."""
        part = window(len(self.ids), self.begin, most, side)
        return Encoded(self.ids[part], self.response[part], self.begin - part.start)


class Encoder:
    """Encodes records in one of STYLES.

    alpaca and phi3 are for instructions; chat is for conversations too, by a chat template. As in
    rasbt's "LLMs from scratch" the header of a response, such as "### Response:", belongs to it in
    these two styles; in a chat a response is what the assistant writes.
    """

    def __init__(self, tokenizer: AnyTokenizer, style: str, template: str | None = None):
        """template: in Jinja, for chat; by default the tokenizer's. ValueError without any."""
        assert style in STYLES, style
        self.tokenizer, self.style = tokenizer, style
        self.ends: set[int] = set()  # the last tokens of all answers so far
        if style == CHAT:
            template = template or default_template(tokenizer.chat_template)
            if template is None:
                raise ValueError("the tokenizer has no chat template: name one with "
                                 f"--chat_template, a file in Jinja or {', '.join(TEMPLATES)}")
            self._chat = ChatTemplate(template, tokenizer.special_tokens_map)
        self.template: str = template if style == CHAT else TEMPLATES[style]
        # Markers are control tokens where the tokenizer has them; else a text is only text.
        self.reads_special = style == CHAT or (
            style == "phi3" and "<|user|>" in tokenizer.special_tokens)

    @classmethod
    def of_tokenizer(cls, tokenizer: AnyTokenizer) -> Encoder:
        """Of the style whose chat template the tokenizer has, as in a tuned model's checkpoint."""
        template = default_template(tokenizer.chat_template)
        known = [style for style in PROMPT_STYLES if TEMPLATES[style] == template]
        return cls(tokenizer, *(known or [CHAT]))

    def encode(self, record: Instruction | Conversation) -> Encoded:
        """ValueError, which names the record, where its answers cannot be told from the rest."""
        try:
            if self.style == CHAT:
                return self._conversation(record)
            if isinstance(record, Conversation):
                raise ValueError(f"a conversation does not go with --prompt_style {self.style}: "
                                 "pass --prompt_style chat")
            return self._instruction(record)
        except ValueError as error:
            raise ValueError(f"{record.place}: {error}") from None

    def prompt(self, record: Instruction | Conversation) -> np.ndarray:
        """(n,) int32: what the model is given to write the record's last answer."""
        if self.style != CHAT:
            return self._ids(prompt_text(self.style, record.instruction, record.input))
        messages = _dicts(record)
        if messages[-1]["role"] == "assistant":
            del messages[-1]
        return self._ids(self._chat.render(messages, add_generation_prompt=True))

    def holds_control_token(self, record: Instruction | Conversation) -> bool:
        """Whether the record's own words become a control token, such as <|endoftext|>."""
        return self.reads_special and any(
            token in message.content for message in record.messages
            for token in self.tokenizer.special_tokens)

    def _instruction(self, record: Instruction) -> Encoded:
        told = record.instruction, record.input
        prompt, end = self._ids(prompt_text(self.style, *told)), self.tokenizer.eos_token_id
        ids = np.concatenate([prompt, self.tokenizer.encode(record.output), [end]])
        self.ends.add(end)
        response = np.arange(len(ids)) >= len(self._ids(instruction_text(self.style, *told)))
        return Encoded(ids.astype(np.int32), response, len(prompt))

    def _conversation(self, record: Instruction | Conversation) -> Encoded:
        pieces = answer_pieces(
            self._chat, _dicts(record), self.tokenizer.special_tokens_map.get("eos_token"),
            self.tokenizer.special_tokens)
        ids = [self._ids(text) for text, _ in pieces]
        answers = [number for number, (_, answer) in enumerate(pieces) if answer]
        self.ends |= {int(ids[number][-1]) for number in answers if len(ids[number])}
        response = np.repeat([answer for _, answer in pieces], [len(part) for part in ids])
        return Encoded(np.concatenate(ids), response, sum(map(len, ids[: answers[-1]])))

    def _ids(self, text: str) -> np.ndarray:
        return self.tokenizer.encode(text, special_tokens=self.reads_special)


def with_answer(record: Instruction | Conversation, answer: str) -> Instruction | Conversation:
    """The record, a prompt alone, with this answer behind it."""
    if isinstance(record, Instruction):
        return replace(record, output=answer)
    return replace(record, messages=(*record.messages, Message("assistant", answer)))


def window(size: int, begin: int, most: int, side: str) -> slice:
    """Which of `size` tokens, of which those from `begin` on are the answer, are kept.

    At most `most`. side "prompt": the prompt loses its start, and where that is not enough the
    answer its end; "answer": the whole loses its end.
    """
    over = max(0, size - most)
    left = min(over, begin) if side == "prompt" else 0
    return slice(left, size - (over - left))


def _dicts(record: Instruction | Conversation) -> list[dict]:
    return [message._asdict() for message in record.messages]
