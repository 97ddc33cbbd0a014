"""The text of a continuation while its tokens come: what can be shown, and where it stops."""

import codecs
from collections.abc import Callable, Iterable

DecodeBytes = Callable[[Iterable[int]], bytes]


class Text:
    """Bytes of tokens, joined; cut before the stop string that is complete first.

    decode_bytes: of a tokenizer; the bytes of several tokens are those of each, joined.
    """

    def __init__(self, decode_bytes: DecodeBytes, stop: tuple[str, ...] = ()):
        self._decode = decode_bytes
        self._stops = [text.encode() for text in stop]
        self._bytes = bytearray()
        self._given = 0  # bytes that `take` has returned
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self.stopped = False

    def add(self, token: int) -> bool:
        """Whether the text has come to a stop string; what follows it is dropped."""
        begin = len(self._bytes) - max(map(len, self._stops), default=1) + 1
        self._bytes += self._decode([token])
        found = [(at + len(stop), at) for stop in self._stops
                 if (at := self._bytes.find(stop, max(0, begin))) >= 0]
        if found:
            del self._bytes[min(found)[1] :]
            self.stopped = True
        return self.stopped

    def take(self, last: bool = False) -> str:
        """What follows the text taken before and can no longer change; all of it at the last.

        A character of which bytes are missing waits, and so does what a stop string may begin with.
        """
        last = last or self.stopped
        end = len(self._bytes) - (0 if last else self._held())
        new = bytes(self._bytes[self._given : end])
        self._given = end
        return self._characters.decode(new, final=last)

    def __str__(self) -> str:
        """All of it, with U+FFFD where the bytes are not UTF-8."""
        return self._bytes.decode("utf-8", errors="replace")

    def _held(self) -> int:
        """Bytes at the end with which a stop string begins."""
        return max((length for stop in self._stops for length in range(1, len(stop))
                    if self._bytes.endswith(stop[:length])), default=0)
