"""Packed files as streams that raise an error where the end of the file is missing."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from data_tools.reading.raw_text import Damaged

# Bytes unpacked at once: at the best ratios 2 MB of gzip, 15 of xz, 40 of bzip2, 90 of Zstandard.
_STEP = 1 << 11
_BUFFER = 1 << 20
_MAGIC = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\xfd7zXZ\0": ".xz", b"BZh": ".bz2"}
PACKED_ENDINGS = tuple(_MAGIC.values())


def unpack(file: BinaryIO, ending: str) -> io.BufferedReader:
    """The unpacked bytes of all members or frames that a file of one of PACKED_ENDINGS holds.

    Those before a damaged place come before its error. Zstandard may be made with any --long.
    """
    return io.BufferedReader(_Unpacked(file, *_decoder(ending)), _BUFFER)


def open_by_content(path: str) -> BinaryIO:
    """A file that may be packed or not, which its first bytes tell."""
    file = open(path, "rb", buffering=_BUFFER)
    first = file.peek(8)
    for magic, ending in _MAGIC.items():
        if first.startswith(magic):
            return unpack(file, ending)
    return file


def import_zstandard():
    try:
        import zstandard
    except ImportError:
        raise ValueError(
            "reading .zst needs the package zstandard: pip install zstandard"
        ) from None
    return zstandard


def _decoder(ending: str) -> tuple[Callable, tuple[type[Exception], ...]]:
    """(makes a decoder of one member, its errors)."""
    if ending == ".gz":
        return partial(zlib.decompressobj, wbits=31), (zlib.error,)
    if ending == ".zst":
        zstandard = import_zstandard()
        decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
        return decompressor.decompressobj, (zstandard.ZstdError,)
    if ending == ".xz":
        import lzma

        return partial(lzma.LZMADecompressor, memlimit=2**30), (lzma.LZMAError,)
    import bz2

    return bz2.BZ2Decompressor, (OSError, ValueError)


class _Unpacked(io.RawIOBase):
    """A stream that unpacks piece by piece and checks the end of the file and its checksum.

    The streams of zstandard and tarfile accept a file that was cut short, and tarfile's reads no
    checksum. The stream of gzip loses the bytes before a damaged place that are in the same read.
    """

    def __init__(self, file: BinaryIO, new_decoder: Callable, errors: tuple[type[Exception], ...]):
        self._file, self._new_decoder, self._errors = file, new_decoder, errors
        self._decoder = new_decoder()
        self._packed, self._unpacked = b"", memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._unpacked:
            if not self._fill():
                return 0
        size = min(len(buffer), len(self._unpacked))
        buffer[:size] = self._unpacked[:size]
        self._unpacked = self._unpacked[size:]
        return size

    def _fill(self) -> bool:
        """Unpack one more piece; False at the end of the file."""
        packed = self._packed or self._file.read(_STEP)
        if not packed:
            if self._decoder is None:
                return False
            raise Damaged("the file ends before its packed data does")
        if self._decoder is None:
            packed = packed.lstrip(b"\0")  # padding, as tapes and some servers add it
            if not packed:
                self._packed = b""
                return True
            self._decoder = self._new_decoder()
        try:
            self._unpacked = memoryview(self._decoder.decompress(packed))
        except self._errors as error:
            raise Damaged(str(error)) from error
        self._packed = self._decoder.unused_data
        if self._decoder.eof:
            self._decoder = None
        return True

    def close(self) -> None:
        self._file.close()
        super().close()
