"""Gzip and Zstandard files as streams that raise an error where the end of the file is missing."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

_CHUNK = 1 << 14  # bytes read at once: at zlib's best ratio 16 MB unpacked, for code 0.1 MB
_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def open_gzip(path: str) -> io.RawIOBase:
    """The unpacked bytes of all members; those before a damaged place come before its OSError or
    EOFError."""
    return _Unpacked(path, lambda: zlib.decompressobj(wbits=31), zlib.error)


def open_zstandard(path: str) -> io.RawIOBase:
    """The unpacked bytes, all frames, made with any --long; errors as open_gzip has them."""
    zstandard = import_zstandard()
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
    return _Unpacked(path, decompressor.decompressobj, zstandard.ZstdError)


def open_by_content(path: str) -> io.RawIOBase:
    """A file that may be gzip, Zstandard or not packed, which its first bytes tell."""
    file = open(path, "rb", buffering=0)
    with file:
        first = file.read(4)
        if not first.startswith((_GZIP, _ZSTANDARD)):
            return open(path, "rb", buffering=0)
    return open_gzip(path) if first.startswith(_GZIP) else open_zstandard(path)


def import_zstandard():
    try:
        import zstandard
    except ImportError:
        raise ValueError(
            "reading .zst needs the package zstandard: pip install zstandard"
        ) from None
    return zstandard


class _Unpacked(io.RawIOBase):
    """A stream that unpacks piece by piece and checks the end of the file and its checksum.

    The streams of zstandard and tarfile accept a file that was cut short, and tarfile's reads no
    checksum. The stream of gzip loses the bytes before a damaged place that are in the same read.
    """

    def __init__(self, path: str, new_decoder: Callable, error: type[Exception]):
        self._file = open(path, "rb", buffering=0)
        self._path, self._new_decoder, self._error = path, new_decoder, error
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
        packed = self._packed or self._file.read(_CHUNK)
        if not packed:
            if self._decoder is None:
                return False
            raise EOFError(f"{self._path} ends before its packed data does")
        if self._decoder is None:
            packed = packed.lstrip(b"\0")  # padding, as tapes and some servers add it
            if not packed:
                self._packed = b""
                return True
            self._decoder = self._new_decoder()
        try:
            self._unpacked = memoryview(self._decoder.decompress(packed))
        except self._error as error:
            raise OSError(f"{self._path}: {error}") from error
        self._packed = self._decoder.unused_data
        if self._decoder.eof:
            self._decoder = None
        return True

    def close(self) -> None:
        self._file.close()
        super().close()
