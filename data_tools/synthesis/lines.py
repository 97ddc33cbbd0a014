"""What comes of one request or two: a record, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from data_tools.endpoint import Answer

NO_ANSWER = "no answer"
EMPTY, CUT_OFF, DUPLICATE = "empty", "cut off", "duplicate"


class Dropped(Exception):
    """There is no record. args: why, and perhaps what the server has told."""

    def line(self) -> dict[str, str]:
        return dict(zip(("dropped", "told"), self.args, strict=False))


class Maker(Protocol):
    """Makes records by number, from 0. total: records that there can be.

    settings: what decides on the records; a stopped run goes on with the same.
    """

    total: int
    settings: dict[str, Any]

    def left(self, lines: list[dict]) -> Iterable[int]:
        """The numbers to make behind these lines, one for each number from 0; none at the end."""

    async def make(self, number: int) -> dict:
        """The record; Dropped where there is none, NoAnswer where the server gives none."""

    def settle(self, record: dict) -> None:
        """Called for each record in the order of the numbers; Dropped where an earlier one is
        like it.
        """


def text_of(answer: Answer) -> str:
    """The text without white space around it; Dropped where it is empty or not whole."""
    if not answer.finished:
        raise Dropped(CUT_OFF)
    if not answer.text.strip():
        raise Dropped(EMPTY)
    return answer.text.strip()


def key_of(text: str) -> str:
    """Equal for texts that differ in white space and case only."""
    return " ".join(text.split()).casefold()
