"""Bugs of stop strings: how they are found in bytes, and where a text is cut."""

from parity.mutants.mutant import room

_STOPS = "paddle_impl.decoding.stop_strings.StopStrings"
_TEXT = "paddle_impl.decoding.text.Text"

_INSIDE = "self.complete[state] or self.complete[self._shorter[state]]"

BUGS = {
    "stop strings inside of longer ones are missed": (
        f"{_STOPS}.__init__", _INSIDE, "self.complete[state]"),
    "the shortest stop string at an end": (
        f"{_STOPS}.__init__", _INSIDE,
        "self.complete[self._shorter[state]] or self.complete[state]"),
    "a mismatch begins anew": (f"{_STOPS}.step", "state = self._shorter[state]", "state = 0"),
    "a mismatch falls back once": (
        f"{_STOPS}.step", "while (longer := self._longer.get(256 * state + byte)) is None and "
        "state:\n        state = self._shorter[state]",
        "longer = self._longer.get(256 * state + byte)\n    if longer is None:\n"
        "        longer = self._longer.get(256 * self._shorter[state] + byte)"),
    "falls back to one byte at most": (
        f"{_STOPS}.__init__", "self.step(self._shorter[before], byte)", "self.step(0, byte)"),
    "stop strings counted in characters": (
        f"{_STOPS}._add", "self.complete[state] = len(text)",
        "self.complete[state] = len(text.decode())"),
    "the last stop string alone": (
        f"{_STOPS}._add", "state = 0\n", "state = 0\n    self.complete = array('l', "
        "[0] * len(self.length))\n"),
    "cut by the beginning of a longer one": (
        f"{_TEXT}.add", "del self._bytes[-self._stops.complete[self._state] :]",
        "del self._bytes[-self._stops.length[self._state] :]"),
    "stop string kept in the text": (
        f"{_TEXT}.add", "del self._bytes[-self._stops.complete[self._state] :]", "pass"),
    "what a token has after a stop string is kept": (f"{_TEXT}.add", "break", "pass"),
    "stop strings inside of one token alone": (
        f"{_TEXT}.add", "for byte in", "self._state = 0\n    for byte in"),
    "stop strings that end with a token alone": (
        f"{_TEXT}.add", "if may_stop and", "if may_stop and byte == self._decode([token])[-1] and"),
    "beginnings of stop strings are given away": (
        f"{_TEXT}.take", "self._stops.length[self._state]", "0"),
    "a byte of a beginning is given away": (
        f"{_TEXT}.take", "self._stops.length[self._state]",
        "max(0, self._stops.length[self._state] - 1)"),
    "half characters are left out": (f"{_TEXT}.__str__", '"replace"', '"ignore"'),
    "stop strings count a token early": (
        "paddle_impl.decoding.sequences.Sequence.add", "> self._decoding.stop_after",
        ">= self._decoding.stop_after"),
}

CONTROLS = {
    "cut by its end": (
        f"{_TEXT}.add", "del self._bytes[-self._stops.complete[self._state] :]",
        "del self._bytes[len(self._bytes) - self._stops.complete[self._state] :]"),
}

MUTANTS = room("stops", BUGS, CONTROLS)
