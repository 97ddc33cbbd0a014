"""A filter for documents that are equal to an earlier one but for white space at their ends."""

from __future__ import annotations

import hashlib

from data_tools.cleaning.base import Filter


class ExactDuplicate(Filter):
    """Drops a text that is equal to a kept one, white space at both ends apart.

    A text is remembered as 16 bytes of BLAKE2b: at 10^10 documents one is dropped wrongly with
    probability 10^-19. CodeParrot takes MD5. Four million documents need about 75 MB.
    """

    reason, remembers = "duplicate", True
    KEY = 16
    TAIL = KEY - 2

    def __init__(self):
        # By the first two bytes of the key; each bucket is the other 14 bytes, key after key. A
        # set of bytes would take five times the memory.
        self.buckets = [bytearray() for _ in range(2**16)]
        self.new = bytearray()

    def drops(self, text: str) -> bool:
        key = hashlib.blake2b(text.strip().encode(), digest_size=self.KEY).digest()
        bucket, tail = self.buckets[key[0] << 8 | key[1]], key[2:]
        place = bucket.find(tail)
        while place % self.TAIL and place >= 0:  # across the border of two keys
            place = bucket.find(tail, place + 1)
        if place >= 0:
            return True
        bucket += tail
        self.new += key
        return False

    def learnt(self) -> bytes:
        """The keys kept since the last call, 16 bytes each."""
        new, self.new = bytes(self.new), bytearray()
        return new

    def restore(self, memory: bytes) -> None:
        if len(memory) % self.KEY:
            raise ValueError(
                f"the memory of exact duplicates holds whole keys of {self.KEY} bytes, not "
                f"{len(memory)} bytes: it was cut or is another file, so start anew"
            )
        for start in range(0, len(memory), self.KEY):
            bucket = self.buckets[memory[start] << 8 | memory[start + 1]]
            bucket += memory[start + 2 : start + self.KEY]
