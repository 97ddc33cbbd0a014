"""Preferences -> pairs of token ids, of which the responses are to be learned.

A prompt and its responses are encoded apart and joined, and each response has its end token. So
both texts of a pair begin with the same ids, which are those that the model is given when it is to
answer. Of a pair that is too long the prompt loses its start, the same on both sides.

With `legacy` they are what rasbt's dpo.py makes of them: prompt and response are one text, the
header of the response belongs to it but for its first two tokens, and there is no end token.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from data_tools.instructions.encoding import Encoder, with_answer
from data_tools.instructions.prompts import instruction_text, response_text
from data_tools.instructions.records import Instruction, Preference

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

    def events(self, part: str) -> list[tuple[str, str]]:
        """(kind, message) of what the user must know. part: the name of the part."""
        total = len(self.pairs) + sum(map(len, self.left_out.values()))
        told = [("dropped", f"{len(places)} of {total} pairs of the {part} part, because {reason}: "
                            f"{_named(places)}") for reason, places in self.left_out.items()]
        if self.cut:
            told.append(("cut", f"{len(self.cut)} of {total} pairs of the {part} part are longer "
                                f"than --max_seq_length: {_named(self.cut)}"))
        return told

    def counts(self, part: str) -> list[str]:
        """How many were left out, and why, without their places."""
        return [f"{part}: {len(places)}, {reason}" for reason, places in self.left_out.items()]


def encode_pairs(
    preferences: Iterable[Preference], encoder: Encoder, max_length: int, legacy: bool = False
) -> Pairs:
    """The pairs of records, without those that teach nothing: where a response is empty, where both
    are equal, or where they are after they were cut.

    max_length: ids of a text; with `legacy` the pairs are whole, and their batches are cut.
    ValueError, which names the record, where the encoder refuses it, and for a template that writes
    another prompt before one response than before the other.
    """
    found = Pairs()
    for one in preferences:
        reason = one.problem
        if reason is None:
            join = _as_one_text if legacy else _apart
            pair, was_cut = join(one, encoder, max_length)
            reason = _nothing_to_learn(pair, max_length)
        if reason is not None:
            found.left_out.setdefault(reason, []).append(one.place)
            continue
        found.pairs.append(pair)
        found.places.append(one.place)
        if was_cut:
            found.cut.append(one.place)
    return found


def _apart(one: Preference, encoder: Encoder, max_length: int) -> tuple[Pair, bool]:
    """The pair within max_length, and whether it was longer. The prompt loses its start, down to
    half of max_length, and then the responses their ends.
    """
    prompt, chosen = _prompt_and_answer(one, encoder, one.chosen)
    other, rejected = _prompt_and_answer(one, encoder, one.rejected)
    if not np.array_equal(prompt, other):
        raise ValueError(f"{one.place}: the chat template writes another prompt before `chosen` "
                         "than before `rejected`: take another --chat_template")
    longest = max(len(chosen), len(rejected))
    kept = prompt[-max(max_length - longest, max_length // 2, 1) :]
    room = max_length - len(kept)
    was_cut = len(kept) < len(prompt) or longest > room
    chosen, rejected = (np.concatenate([kept, ids[:room]]) for ids in (chosen, rejected))
    return Pair(chosen, rejected, len(kept)), was_cut


def _prompt_and_answer(
    one: Preference, encoder: Encoder, answer: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of both, without what a chat template writes behind an answer."""
    found = encoder.encode(with_answer(one.prompt, answer))
    end = int(np.flatnonzero(found.response)[-1]) + 1
    return found.ids[: found.begin], found.ids[found.begin : end]


def _as_one_text(one: Preference, encoder: Encoder, max_length: int) -> tuple[Pair, bool]:
    if not isinstance(one.prompt, Instruction):
        raise ValueError(f"{one.place}: --response_mask legacy is for an instruction, not for "
                         "messages")
    before = instruction_text(encoder.style, one.prompt.instruction, one.prompt.input)
    texts = [encoder.tokenizer.encode(before + response_text(encoder.style, answer))
             for answer in (one.chosen, one.rejected)]
    start = len(encoder.tokenizer.encode(before)) + _NEW_LINES
    return Pair(*texts, start), max(map(len, texts)) > max_length


def _nothing_to_learn(pair: Pair, max_length: int) -> str | None:
    chosen, rejected = (ids[pair.start : max_length] for ids in pair[:2])
    if not (len(chosen) and len(rejected)):
        return "nothing of a response is left in --max_seq_length tokens"
    return "chosen equals rejected in its tokens" if np.array_equal(chosen, rejected) else None


def _named(places: list[str]) -> str:
    more = len(places) - _SHOWN
    return "; ".join(places[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
