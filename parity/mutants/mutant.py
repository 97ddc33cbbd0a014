"""What a mutant is: pieces of source code, and what stands there instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Change(NamedTuple):
    """`code` occurs once in the source of `path` and becomes `replacement`.

    path: a function, a method or a module's constant, such as `paddle_impl.model.MLP.forward`; for
    compiled code the module and the C++ function, whose whole file is the source.
    """

    path: str
    code: str
    replacement: str


@dataclass(frozen=True)
class Mutant:
    """`equivalent` marks a control: it computes the same, and a ladder that breaks is too strict.

    room: the part of the code whose bugs it stands for.
    """

    name: str
    room: str
    changes: tuple[Change, ...]
    equivalent: bool = False

    @property
    def where(self) -> str:
        """Every place that is changed."""
        return ", ".join(dict.fromkeys(change.path for change in self.changes)) or "nowhere"


# One change as three strings, or several as a list of threes.
Rows = Mapping[str, Sequence]


def room(name: str, bugs: Rows, controls: Rows | None = None) -> tuple[Mutant, ...]:
    """A table's mutants: the bugs, then the controls."""
    return tuple(
        Mutant(title, name, _changes(row), equivalent)
        for rows, equivalent in ((bugs, False), (controls or {}, True))
        for title, row in rows.items()
    )


def _changes(row: Sequence) -> tuple[Change, ...]:
    several = [row] if row and isinstance(row[0], str) else row
    return tuple(Change(*one) for one in several)
