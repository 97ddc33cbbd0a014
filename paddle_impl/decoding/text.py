"""The text of a continuation while tokens are added: which part is final, and where it stops."""

import codecs
from collections.abc import Callable, Iterable

from paddle_impl.decoding.stop_strings import StopStrings

DecodeBytes = Callable[[Iterable[int]], bytes]


class Text:
    """The joined bytes of tokens, cut before the stop string that is complete first.

    decode_bytes: a tokenizer's. The bytes of several tokens must be those of each token, joined.
    """

    def __init__(self, decode_bytes: DecodeBytes, stops: StopStrings):
        self._decode, self._stops = decode_bytes, stops
        self._state = 0  # of the stop strings, after all bytes
        self._bytes = bytearray()
        self._given = 0  # bytes that `take` has returned
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self.stopped = False

    def add(self, token: int, may_stop: bool = True) -> bool:
        """Append a token. Returns whether the text has reached a stop string, and is cut there.

        may_stop: False where a stop string that is complete with this token remains in the text.
        """
        for byte in self._decode([token]):
            self._bytes.append(byte)
            self._state = self._stops.step(self._state, byte)
            if may_stop and self._stops.complete[self._state]:
                del self._bytes[-self._stops.complete[self._state] :]
                self.stopped = True
                break
        return self.stopped

    def take(self, last: bool = False) -> str:
        """Return the text since the last call that can no longer change.

        Bytes of an incomplete character are held back, and so is the beginning of a stop string.
        last: there are no more tokens, and nothing is held back.
        """
        last = last or self.stopped
        end = len(self._bytes) - (0 if last else self._stops.length[self._state])
        new = bytes(self._bytes[self._given : end])
        self._given = end
        return self._characters.decode(new, final=last)

    def __str__(self) -> str:
        """The whole text, with U+FFFD where the bytes are not UTF-8."""
        return self._bytes.decode("utf-8", errors="replace")
