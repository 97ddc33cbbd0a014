"""The text of a continuation while tokens are added: which part is final, and where it stops."""

import codecs
from collections.abc import Callable, Iterable

DecodeBytes = Callable[[Iterable[int]], bytes]


class Text:
    """The joined bytes of tokens, cut before the stop string that is complete first.

    decode_bytes: a tokenizer's. The bytes of several tokens must be those of each token, joined.
    """

    def __init__(self, decode_bytes: DecodeBytes, stop: tuple[str, ...] = ()):
        self._decode = decode_bytes
        self._stops = [text.encode() for text in stop]
        self._bytes = bytearray()
        self._given = 0  # bytes that `take` has returned
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self.stopped = False

    def add(self, token: int) -> bool:
        """Append a token. Returns whether the text has reached a stop string, and is cut there."""
        begin = len(self._bytes) - max(map(len, self._stops), default=1) + 1
        self._bytes += self._decode([token])
        found = [(at + len(stop), at) for stop in self._stops
                 if (at := self._bytes.find(stop, max(0, begin))) >= 0]
        if found:
            del self._bytes[min(found)[1] :]
            self.stopped = True
        return self.stopped

    def take(self, last: bool = False) -> str:
        """Return the text since the last call that can no longer change.

        Bytes of an incomplete character are held back, and so is the beginning of a stop string.
        last: there are no more tokens, and nothing is held back.
        """
        last = last or self.stopped
        end = len(self._bytes) - (0 if last else self._held())
        new = bytes(self._bytes[self._given : end])
        self._given = end
        return self._characters.decode(new, final=last)

    def __str__(self) -> str:
        """The whole text, with U+FFFD where the bytes are not UTF-8."""
        return self._bytes.decode("utf-8", errors="replace")

    def _held(self) -> int:
        """How many bytes at the end of the text may be the beginning of a stop string."""
        return max((length for stop in self._stops for length in range(1, len(stop))
                    if self._bytes.endswith(stop[:length])), default=0)
