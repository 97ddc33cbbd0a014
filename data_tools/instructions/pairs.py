"""Preferences -> pairs of token ids, of which the responses are to be learned.

Prompt and response are encoded apart and joined, and the end token stands behind each response as
a part of it. So both texts of a pair begin with the same ids, and a model that is given the prompt
alone sees what it was trained on. A pair that is too long loses the start of its prompt, the same
on both sides.

With `legacy` they are what rasbt's dpo.py makes of them: prompt and response are one text, the
header of the response counts as a part of it but for its first two tokens, and there is no end
token.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from data_tools.instructions.prompts import instruction_text, prompt_text, response_text
from data_tools.instructions.records import Instruction, Preference
from data_tools.tokenizing.any_tokenizer import AnyTokenizer, end_of

CHAT = "chat"  # the style that is the tokenizer's chat template
_NEW_LINES = 2  # tokens of "\n\n" before "### Response:"
_SHOWN = 5  # places that a message names


class Pair(NamedTuple):
    """Ids of both texts, int32 (n,); in each the response begins at `start`."""

    chosen: np.ndarray
    rejected: np.ndarray
    start: int


@dataclass
class Pairs:
    """The pairs of a part of a file, what was left out of it, and why.

    places: where each pair comes from. left_out: reason -> places. cut: of pairs that were too
    long.
    """

    pairs: list[Pair] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)

    def notes(self, what: str) -> list[str]:
        """Lines for the user. what: the name of the part."""
        total = len(self.pairs) + sum(map(len, self.left_out.values()))
        told = [f"{what}: {len(places)} of {total} pairs are left out, because {reason}: "
                f"{_named(places)}" for reason, places in self.left_out.items()]
        if self.cut:
            told.append(f"{what}: {len(self.cut)} of {total} pairs are too long and are cut: "
                        f"{_named(self.cut)}")
        return told


def encode_pairs(
    preferences: Iterable[Preference], tokenizer: AnyTokenizer, style: str, max_length: int,
    legacy: bool = False,
) -> Pairs:
    """The pairs of records, without those that teach nothing: where a response is empty, where both
    are equal, or where they are after they were cut.

    style: one of prompts.PROMPT_STYLES, or "chat" for the tokenizer's chat template. max_length:
    ids of a text; with `legacy` the pairs are whole, and their batches are cut. ValueError, which
    names the record, for a conversation with another style than chat, for a template that cannot
    end with an answer, and for a tokenizer without an end token.
    """
    found = Pairs()
    for one in preferences:
        reason = one.problem
        if reason is None:
            pair, was_cut = (_joined(one, tokenizer, style, max_length) if legacy else
                             _apart(one, tokenizer, style, max_length))
            reason = _nothing_to_learn(pair, max_length)
        if reason is not None:
            found.left_out.setdefault(reason, []).append(one.place)
            continue
        found.pairs.append(pair)
        found.places.append(one.place)
        if was_cut:
            found.cut.append(one.place)
    return found


def prompt_ids(preference: Preference, tokenizer: AnyTokenizer, style: str) -> np.ndarray:
    """The ids that a response follows, int32 (n,)."""
    return _encoded(tokenizer, _prompt(preference, tokenizer, style), style)


def _apart(
    one: Preference, tokenizer: AnyTokenizer, style: str, max_length: int
) -> tuple[Pair, bool]:
    """Of a text that is too long the prompt loses its start, down to half of max_length, and then
    the response its end.
    """
    prompt = prompt_ids(one, tokenizer, style)
    answers = [_with_end(tokenizer, _encoded(tokenizer, text, style), one.place)
               for text in _answers(one, tokenizer, style)]
    longest = max(map(len, answers))
    room = max(max_length - longest, max_length // 2, 1)
    kept = prompt[-room:]
    cut = [ids[: max_length - len(kept)] for ids in answers]
    was_cut = len(kept) < len(prompt) or len(kept) + longest > max_length
    return Pair(*(np.concatenate([kept, ids]) for ids in cut), len(kept)), was_cut


def _joined(
    one: Preference, tokenizer: AnyTokenizer, style: str, max_length: int
) -> tuple[Pair, bool]:
    before = instruction_text(style, *_alpaca(one, style))
    texts = [_encoded(tokenizer, before + response_text(style, answer), style)
             for answer in (one.chosen, one.rejected)]
    start = len(_encoded(tokenizer, before, style)) + _NEW_LINES
    return Pair(*texts, start), max(map(len, texts)) > max_length


def _nothing_to_learn(pair: Pair, max_length: int) -> str | None:
    chosen, rejected = (ids[pair.start : max_length] for ids in pair[:2])
    if not (len(chosen) and len(rejected)):
        return "nothing of a response is left in --max_seq_length tokens"
    return "chosen equals rejected in tokens" if np.array_equal(chosen, rejected) else None


def _prompt(one: Preference, tokenizer: AnyTokenizer, style: str) -> str:
    if style == CHAT:
        return tokenizer.apply_chat_template(_messages(one), add_generation_prompt=True)
    return prompt_text(style, *_alpaca(one, style))


def _answers(one: Preference, tokenizer: AnyTokenizer, style: str) -> list[str]:
    if style != CHAT:
        return [one.chosen, one.rejected]
    before, found = _prompt(one, tokenizer, style), []
    for answer in (one.chosen, one.rejected):
        text = tokenizer.apply_chat_template(
            [*_messages(one), {"role": "assistant", "content": answer}])
        if not text.startswith(before):
            raise ValueError(f"{one.place}: the chat template writes a conversation with an answer "
                             "that does not begin with its prompt, so that the answer cannot be "
                             "told from it: take another --chat_template")
        found.append(text.removeprefix(before))
    return found


def _messages(one: Preference) -> list[dict[str, str]]:
    return [message._asdict() for message in one.prompt.messages]


def _alpaca(one: Preference, style: str) -> tuple[str, str]:
    if not isinstance(one.prompt, Instruction):
        raise ValueError(f"{one.place} has messages as its prompt, and --prompt_style {style} is "
                         "for an instruction: pass --prompt_style chat")
    return one.prompt.instruction, one.prompt.input


def _encoded(tokenizer: AnyTokenizer, text: str, style: str) -> np.ndarray:
    """A chat template writes special tokens; other texts have none."""
    return np.asarray(tokenizer.encode(text, special_tokens=style == CHAT), np.int32)


def _with_end(tokenizer: AnyTokenizer, ids: np.ndarray, place: str) -> np.ndarray:
    """The ids up to their first end token, which is added where there is none."""
    end = end_of(tokenizer)
    if end is None:
        raise ValueError(f"{place}: a response needs an end token, and the tokenizer has none")
    places = np.flatnonzero(ids == end)
    return ids[: places[0] + 1] if len(places) else np.append(ids, np.int32(end))


def _named(places: list[str]) -> str:
    more = len(places) - _SHOWN
    return "; ".join(places[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
