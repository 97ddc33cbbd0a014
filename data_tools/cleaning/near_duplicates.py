"""A filter for documents that share most of their words with an earlier one.

The words of a text are its runs of ASCII letters, digits and "_", and texts are compared by the
Jaccard similarity of their sets of words, as CodeParrot's minhash_deduplication.py does
(huggingface/transformers, examples/research_projects/codeparrot/scripts): 256 MinHash values,
threshold 0.85, texts of fewer than ten words never left out. CodeParrot finds the duplicates but
writes the data from before that step; here they are left out. rensa computes the MinHash values.
The candidates are found here, because rensa's own index takes 2 KB for each document and cannot be
saved.

D documents kept, P = 256 MinHash values, B bands of R values each (B * R <= P), S slots.
"""

from __future__ import annotations

import array
import math

import numpy as np

from data_tools.cleaning.base import Filter

VALUES = 256
MIN_WORDS = 10
RECALL = 0.99
MIN_THRESHOLD = 0.5
ALGORITHM = 2  # rensa's number for how it computes values; they compare only within one
INSTALL = "pip install rensa==0.5.0"
MIN_SLOTS = 2**10
CHAIN_STEPS = 64
BLOCK = 4096
_WORDS = bytes(
    code if code < 128 and (chr(code).isalnum() or chr(code) == "_") else ord(" ")
    for code in range(256)
)


class NearDuplicate(Filter):
    """Drops a text whose estimated similarity to a kept one is `threshold` or more.

    So the first document of each group is kept, in the order of the corpus. A text is compared with
    kept texts only: in a chain of small changes, a text far enough from the first is kept again.
    The estimate's standard error is 0.02 at 0.85; of pairs exactly at the threshold 99 % become
    candidates. A kept text costs 256 bytes of memory and about 8 for each band (25 at 0.85): 2 GB
    for four million, and 256 bytes of what learnt() gives.
    """

    reason, remembers = "near duplicate", True

    def __init__(self, threshold: float = 0.85, seed: int = 0):
        if not MIN_THRESHOLD <= threshold <= 1:
            raise ValueError(f"--near_threshold is {MIN_THRESHOLD} to 1, not {threshold}")
        self.min_hash = _min_hash_class()
        self.threshold, self.seed = threshold, seed % 2**64
        self.rows = _rows_per_band(threshold)
        self.bands = np.arange(VALUES // self.rows)  # (B,)
        # Values are kept as single bytes, of which one in 256 agrees by accident.
        accident = (1 - threshold) / 256
        self.needed = math.ceil(round(VALUES * (threshold + accident), 6))
        self.weights = np.random.RandomState(0).randint(2**62, size=self.rows).astype(np.uint64)
        # Document 0 is no document: it ends every chain.
        self.count, self.reported = 0, 0
        self.signatures = np.zeros((1, VALUES), np.uint8)  # (D + 1, P)
        self.earlier = np.zeros((1, len(self.bands)), np.uint32)  # (D + 1, B)
        self.newest = np.zeros((len(self.bands), MIN_SLOTS), np.uint32)  # (B, S)

    def drops(self, text: str) -> bool:
        signature = self._signature(text)
        if signature is None:
            return False
        self._make_room(self.count + 1)
        slots = self._slots(signature[None])[0]
        if self._is_known(signature, slots):
            return True
        self.count += 1
        self.signatures[self.count] = signature
        self.earlier[self.count] = self.newest[self.bands, slots]
        self.newest[self.bands, slots] = self.count
        return False

    def learnt(self) -> bytes:
        """The signatures kept since the last call, 256 bytes each."""
        first, self.reported = self.reported + 1, self.count
        return self.signatures[first : self.count + 1].tobytes()

    def restore(self, memory: bytes) -> None:
        if len(memory) % VALUES:
            raise ValueError(
                f"the memory of near duplicates holds whole signatures of {VALUES} bytes, not "
                f"{len(memory)} bytes: it was cut or is another file, so start anew"
            )
        signatures = np.frombuffer(memory, np.uint8).reshape(-1, VALUES)
        first, last = self.count + 1, self.count + len(signatures)
        self._make_room(last)
        self.signatures[first : last + 1] = signatures
        self._link(first, last)
        self.count = self.reported = last

    def _signature(self, text: str) -> np.ndarray | None:
        """(P,) uint8, or None for a text of too few words."""
        words = text.encode().translate(_WORDS).split()
        if len(words) < MIN_WORDS:
            return None
        # rensa ignores repeated words and their order, and a set() here would cost more than it.
        sketch = self.min_hash(num_perm=VALUES, seed=self.seed)
        sketch.update(words)
        values = np.frombuffer(array.array("I", sketch.digest()), np.uint32)
        # The product's top byte depends on all bits. Small minima have few of their own.
        return ((values * np.uint32(0x9E3779B1)) >> np.uint32(24)).astype(np.uint8)

    def _slots(self, signatures: np.ndarray) -> np.ndarray:
        """(n, P) -> (n, B): where each band of each signature is looked up."""
        used = len(self.bands) * self.rows
        bands = signatures[:, :used].astype(np.uint64).reshape(len(signatures), -1, self.rows)
        bits = self.newest.shape[1].bit_length() - 1
        # The product's top bits. intp spares NumPy a conversion at each look-up.
        return (bands @ self.weights >> np.uint64(64 - bits)).astype(np.intp)

    def _is_known(self, signature: np.ndarray, slots: np.ndarray) -> bool:
        """Whether a kept document in one of the same slots has enough equal values.

        A slot's documents form a chain, newest first. Many kept documents in one slot are alike,
        but not alike enough; CHAIN_STEPS bounds how many are compared.
        """
        candidates = self.newest[self.bands, slots]  # (B,)
        for _ in range(CHAIN_STEPS):
            bands = candidates.nonzero()[0]
            if not len(bands):
                return False
            equal = (self.signatures[candidates[bands]] == signature).sum(axis=1)
            if equal.max() >= self.needed:
                return True
            candidates = self.earlier[candidates, self.bands]
        return False

    def _make_room(self, count: int) -> None:
        if count >= len(self.signatures):
            # refcheck=False: realloc moves pages, where a copy would take the memory twice.
            room = count + count // 8 + MIN_SLOTS
            self.signatures.resize((room, VALUES), refcheck=False)
            self.earlier.resize((room, len(self.bands)), refcheck=False)
        slots = max(MIN_SLOTS, 1 << (count - 1).bit_length())
        if slots > self.newest.shape[1]:
            self.newest = np.zeros((len(self.bands), slots), np.uint32)
            self._link(1, self.count)

    def _link(self, first: int, last: int) -> None:
        """Puts documents first to last, whose signatures are there, at the heads of their chains.

        The chains are those that drops() would have made, one document at a time.
        """
        for start in range(first, last + 1, BLOCK):
            end = min(start + BLOCK, last + 1)
            for band, slots in enumerate(self._slots(self.signatures[start:end]).T):
                order = slots.argsort(kind="stable")
                slots, documents = slots[order], order + start
                again = slots[1:] == slots[:-1]  # the slot's previous document is in this block
                self.earlier[documents, band] = self.newest[band, slots]
                self.earlier[documents[1:][again], band] = documents[:-1][again]
                newest = np.append(~again, True)
                self.newest[band, slots[newest]] = documents[newest]


def _rows_per_band(threshold: float) -> int:
    """The most values per band, so the fewest bands, with which a pair at the threshold shares a
    band with probability RECALL.
    """
    for rows in range(VALUES, 1, -1):
        if 1 - (1 - threshold**rows) ** (VALUES // rows) >= RECALL:
            return rows
    return 1


def _min_hash_class():
    try:
        from rensa import RMinHash
    except ImportError as error:
        raise ValueError(f"--dedup near needs the package rensa: {INSTALL}") from error
    if RMinHash.ALGORITHM_VERSION != ALGORITHM:
        raise ValueError(
            f"--dedup near needs rensa's algorithm {ALGORITHM}, the one installed has "
            f"{RMinHash.ALGORITHM_VERSION}: {INSTALL}"
        )
    return RMinHash
