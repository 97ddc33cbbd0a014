"""Records of instruction tuning and of preferences, checked field by field.

    {"instruction": "...", "input": "", "output": "..."}                    Alpaca's; input optional
    {"messages": [{"role": "user", "content": "..."}, ...]}                 a conversation
    {"conversations": [{"from": "human", "value": "..."}, ...]}             ShareGPT's
    {"instruction", "input", "chosen": "...", "rejected": "..."}            preferences
    {"prompt", "chosen", "rejected"}                                        trl's: texts or messages

Other fields are not looked at, but a system message or a history that stands beside the record
would be lost, so it is refused. A ValueError of one line names the file, the record or line in it,
and the field. Refused are fields that are missing or of another type, an instruction or a message
of the user that is blank, and messages whose roles are unknown or out of turn. An answer may be
blank: `problem` says so, and a task leaves such records out and counts them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from data_tools.instructions.reading import read_rows
from data_tools.json_fields import Field, check, shown

_TEXT = Field("a text", lambda value: isinstance(value, str))
_FILLED = Field("a text that is not blank", lambda value: isinstance(value, str) and value.strip())
_MESSAGES = Field("a list of messages",
                  lambda value: isinstance(value, list) and len(value) > 0)
_ROLES = {"role": {role: role for role in ("system", "user", "assistant")},
          "from": {"system": "system", "human": "user", "user": "user", "gpt": "assistant",
                   "assistant": "assistant"}}


class Message(NamedTuple):
    """role: system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Instruction:
    """An Alpaca record. input is "" where there is none. place: as reading.read_rows names it."""

    instruction: str
    input: str
    output: str
    place: str

    @property
    def messages(self) -> tuple[Message, ...]:
        """The record as a conversation: the input stands in a new line behind the instruction.

        Where the output is empty the user's message stands alone.
        """
        asked = f"{self.instruction}\n{self.input}" if self.input else self.instruction
        answer = [Message("assistant", self.output)] if self.output else []
        return (Message("user", asked), *answer)

    @property
    def problem(self) -> str | None:
        """Why there is nothing to learn from the record; None where there is something."""
        return None if self.output.strip() else "output is empty"


@dataclass(frozen=True)
class Conversation:
    """Perhaps a system message, then the user and the assistant in turn, the user first.

    The last message may be the user's. Of several answers some may be blank.
    """

    messages: tuple[Message, ...]
    place: str

    @property
    def problem(self) -> str | None:
        """Why there is nothing to learn from the conversation; None where there is something."""
        answers = [m.content for m in self.messages if m.role == "assistant"]
        if not answers:
            return "no message of the assistant"
        return None if any(map(str.strip, answers)) else "each message of the assistant is empty"


@dataclass(frozen=True)
class Preference:
    """prompt: an Instruction whose output is "", or a Conversation that ends with the user."""

    prompt: Instruction | Conversation
    chosen: str
    rejected: str
    place: str

    @property
    def problem(self) -> str | None:
        """Why the pair cannot be learned from; None where it can."""
        for name in ("chosen", "rejected"):
            if not getattr(self, name).strip():
                return f"{name} is empty"
        return "chosen equals rejected" if self.chosen == self.rejected else None


def read_instructions(path: str | os.PathLike) -> list[Instruction | Conversation]:
    """The records of a file in their order, each of any kind; ValueError as the module says."""
    return [example_of(place, row) for place, row in read_rows(path)]


def read_preferences(path: str | os.PathLike) -> list[Preference]:
    """The pairs of a file in their order; ValueError as the module says."""
    return [preference_of(place, row) for place, row in read_rows(path)]


def example_of(place: str, row: dict[str, Any]) -> Instruction | Conversation:
    """The record of a row; messages count before conversations, and these before instruction."""
    try:
        for name in ("messages", "conversations"):
            if name in row:
                messages = _messages(row, name)
                _check_turns(messages, name)
                _check_nothing_is_lost(row, messages)
                return Conversation(messages, place)
        _check_nothing_is_lost(row)
        if not row.keys() & {"instruction", "output"}:
            raise ValueError("expected the fields instruction and output, or messages, or "
                             f"conversations, got {_names(row)}")
        return Instruction(_text(row, "instruction"), _input(row),
                           _text(row, "output", may_be_blank=True), place)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def preference_of(place: str, row: dict[str, Any]) -> Preference:
    """The pair of a row.

    chosen and rejected are texts, or lists of messages that end with the answer; what comes before
    it is the same in both, and is the prompt where `prompt` is no list of messages.
    """
    try:
        before, chosen = _answer(row, "chosen")
        others, rejected = _answer(row, "rejected")
        if before != others:
            raise ValueError("rejected begins with other messages than chosen, expected one prompt "
                             "for both")
        prompt = _prompt(row, before, place)
        _check_nothing_is_lost(row, prompt.messages)
        return Preference(prompt, chosen, rejected, place)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _answer(row: dict[str, Any], name: str) -> tuple[tuple[Message, ...], str]:
    """(the messages before the answer, the answer)."""
    if not isinstance(row.get(name), list):
        return (), _text(row, name, may_be_blank=True)
    *before, last = messages = _messages(row, name)
    if before:
        _check_turns(messages, name)
    if last.role != "assistant":
        raise ValueError(f"{name}: the last message is of the {last.role}, expected the "
                         "assistant's answer")
    return tuple(before), last.content


def _prompt(
    row: dict[str, Any], before: tuple[Message, ...], place: str
) -> Instruction | Conversation:
    if isinstance(row.get("prompt"), list):
        messages = _messages(row, "prompt")
        _check_turns(messages, "prompt")
        if messages[-1].role != "user":
            raise ValueError(f"prompt: the last message is of the {messages[-1].role}, expected "
                             "one of the user")
        if before not in ((), messages):
            raise ValueError("chosen begins with other messages than prompt")
        return Conversation(messages, place)
    if before:
        return Conversation(before, place)
    if "instruction" in row:
        return Instruction(_text(row, "instruction"), _input(row), "", place)
    if "prompt" in row:
        return Instruction(_text(row, "prompt"), "", "", place)
    raise ValueError(f"expected the field instruction or prompt, got {_names(row)}")


def _messages(row: dict[str, Any], name: str) -> tuple[Message, ...]:
    check(row, {name: _MESSAGES})
    return tuple(_message(f"{name}[{number}]", value) for number, value in enumerate(row[name]))


def _message(name: str, value: Any) -> Message:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value)}, expected an object with role and content")
    # datasets gives an object every field that one of the others has.
    role_field, text_field = (("from", "value") if value.get("from") is not None
                              else ("role", "content"))
    told = _text(value, role_field, name)
    if told not in _ROLES[role_field]:
        raise ValueError(f"{name}.{role_field} is {shown(told)}, expected one of "
                         f"{', '.join(_ROLES[role_field])}")
    role = _ROLES[role_field][told]
    return Message(role, _text(value, text_field, name, may_be_blank=role != "user"))


def _check_turns(messages: Iterable[Message], name: str) -> None:
    expected = "user"
    for number, message in enumerate(messages):
        if number == 0 and message.role == "system":
            continue
        if message.role != expected:
            raise ValueError(f"{name}[{number}] is of the {message.role}, expected the {expected}: "
                             "user and assistant take turns, a system message may come first")
        expected = "assistant" if expected == "user" else "user"
    if not any(message.role == "user" for message in messages):
        raise ValueError(f"{name} has no message of the user")


def _check_nothing_is_lost(row: dict[str, Any], messages: tuple[Message, ...] = ()) -> None:
    """ValueError for LLaMA-Factory's fields beside a record, unless the messages have them too."""
    for name in ("system", "history"):
        said = name == "system" and messages and messages[0].role == "system"
        if row.get(name) and not said:
            raise ValueError(f"{name} is {shown(row[name])}, and is read only as a part of "
                             "messages: write the record as messages, or leave it out")


def _input(row: dict[str, Any]) -> str:
    return "" if row.get("input") is None else _text(row, "input", may_be_blank=True)


def _text(
    row: dict[str, Any], name: str, inside: str = "", *, may_be_blank: bool = False
) -> str:
    check(row, {name: _TEXT if may_be_blank else _FILLED}, [name], inside)
    try:
        row[name].encode()
    except UnicodeEncodeError as error:  # JSON can escape half of a surrogate pair
        full = f"{inside}.{name}" if inside else name
        raise ValueError(f"{full} has half of a surrogate pair as character {error.start}"
                         ) from None
    return row[name]


def _names(row: dict[str, Any]) -> str:
    return ", ".join(row) or "none"
