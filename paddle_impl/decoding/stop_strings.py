"""Stop strings, found in one pass over a text: the automaton of Aho and Corasick (1975)."""

from array import array
from collections.abc import Iterable


class StopStrings:
    """The stop strings of a request; it does not change, and all its sequences share it.

    A state is a beginning of a stop string: the longest that a text ends with. 0 is the empty one.
    Time and memory to build it are linear in the bytes of the stop strings. To follow a text takes
    no more than two look-ups a byte, however many stop strings there are.
    """

    def __init__(self, texts: Iterable[str] = ()):
        self._longer: dict[int, int] = {}  # 256 * state + byte -> the state that is a byte longer
        self._shorter = array("l", [0])  # of each state the next longest that a text ends with, too
        self.length = array("l", [0])  # bytes of each state
        self.complete = array("l", [0])  # bytes of the longest stop string at its end; 0: none is
        for text in texts:
            self._add(text.encode())
        for key, state in sorted(self._longer.items(), key=lambda one: self.length[one[1]]):
            before, byte = divmod(key, 256)
            if before:
                self._shorter[state] = self.step(self._shorter[before], byte)
            self.complete[state] = self.complete[state] or self.complete[self._shorter[state]]

    def step(self, state: int, byte: int) -> int:
        """The state after one more byte of the text."""
        while (longer := self._longer.get(256 * state + byte)) is None and state:
            state = self._shorter[state]
        return longer or 0

    def _add(self, text: bytes) -> None:
        state = 0
        for length, byte in enumerate(text, start=1):
            state = self._longer.setdefault(256 * state + byte, len(self.length))
            if state == len(self.length):
                self._shorter.append(0)
                self.length.append(length)
                self.complete.append(0)
        self.complete[state] = len(text)
