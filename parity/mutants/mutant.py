"""What a mutant is: pieces of source code and their replacements."""

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
    """Changes of the code that are planted together.

    room: the part of the code that the mutant belongs to.
    equivalent: the mutant is a control: it computes the same, so no rung may fail on it.
    """

    name: str
    room: str
    changes: tuple[Change, ...]
    equivalent: bool = False

    @property
    def where(self) -> str:
        """The paths of all changes."""
        return ", ".join(dict.fromkeys(change.path for change in self.changes)) or "nowhere"


# name -> one change as three strings, or a list of several
Rows = Mapping[str, Sequence]


def room(name: str, bugs: Rows, controls: Rows | None = None) -> tuple[Mutant, ...]:
    """The mutants of one room: the bugs, then the controls."""
    return tuple(
        Mutant(title, name, _changes(row), equivalent)
        for rows, equivalent in ((bugs, False), (controls or {}, True))
        for title, row in rows.items()
    )


def _changes(row: Sequence) -> tuple[Change, ...]:
    several = [row] if row and isinstance(row[0], str) else row
    return tuple(Change(*one) for one in several)
