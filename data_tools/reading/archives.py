"""Archives -> the texts of their members, in stored order, then those of links between members.

A link has the content of the member that it leads to, as in a folder. A link that leads out of the
archive, or to nothing in it, gives a text with that reason.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from data_tools.reading.compressed import open_by_content
from data_tools.reading.contents import texts_of
from data_tools.reading.raw_text import (
    TOO_LONG,
    UNREADABLE,
    Damaged,
    RawText,
    Rules,
    read_up_to,
)

BROKEN_LINK = "link to no file of the archive"
_CHUNK = 1 << 20
_MEMBER_BUFFER = 1 << 16
_MAX_NAME = 1 << 16  # bytes of a link's target, or of what a tar puts before a member
_MAX_STEPS = 40  # links on the way of a link, as in Linux
_DAMAGE = (ValueError, OverflowError, struct.error, RuntimeError)

Takes = Callable[[str], bool]


def read_tar(path: str, takes: Takes, rules: Rules) -> Iterator[RawText]:
    """Packed in any way or not. Where there are links that are wanted, it is read a second time."""
    links: dict[str, str] = {}
    wanted: list[str] = []
    with _open_tar(path) as (archive, file):
        for member in _members(archive):
            if member.isreg() and takes(member.name):
                yield from _member(f"{path}:{member.name}", _content(archive, member), rules)
            elif member.issym() or member.islnk():
                # A hard link names its member; a symbolic one begins in its own folder.
                folder = posixpath.dirname(member.name) if member.issym() else ""
                target = posixpath.join(folder, member.linkname)
                links[_plain(member.name)] = _plain(target)
                if takes(member.name):
                    wanted.append(member.name)
        while file.read(_CHUNK):  # a checksum stands behind what is packed
            pass
    if wanted:
        yield from _linked(path, wanted, links, rules)


def read_zip(path: str, takes: Takes, rules: Rules) -> Iterator[RawText]:
    """A member that cannot be read gives a text with that reason, and hides no other."""
    with _parsing():
        archive = zipfile.ZipFile(path)
    with archive:
        members = {_plain(info.filename): info for info in archive.infolist()}
        links = {}
        for name, info in members.items():
            if _is_link(info):
                with contextlib.suppress(OSError):  # then it is one that leads nowhere
                    content = _zip_content(archive, info).read(_MAX_NAME)
                    target = content.decode("utf-8", "surrogateescape")
                    links[name] = _plain(posixpath.join(posixpath.dirname(name), target))
        for info in archive.infolist():
            if info.is_dir() or not takes(info.filename):
                continue
            name = f"{path}:{info.filename}"
            if _is_link(info):
                info = members.get(_target(_plain(info.filename), links))
                if info is None or info.is_dir() or _is_link(info):
                    yield RawText(name, b"", BROKEN_LINK)
                    continue
            try:
                yield from texts_of(name, _zip_content(archive, info), rules)
            except OSError:
                yield RawText(name, b"", UNREADABLE)


class _Header(tarfile.TarInfo):
    """A header whose name, or whose further headers, cannot take all memory."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        header = super().frombuf(buf, encoding, errors)
        before = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE,
                  tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if header.type in before and header.size > _MAX_NAME:
            raise tarfile.InvalidHeaderError(f"a name or header of {header.size} bytes")
        return header


@contextlib.contextmanager
def _open_tar(path: str) -> Iterator[tuple[tarfile.TarFile, BinaryIO]]:
    with open_by_content(path) as file:
        with _parsing():
            archive = tarfile.open(fileobj=file, mode="r|", tarinfo=_Header)
        with archive:
            yield archive, file


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """All members. Opening has read the first, which archive.next() gives.

    archive.next() does not read the others: it keeps every header, which takes gigabytes for
    millions of members, and it takes a damaged or missing header for the end of the archive.
    """
    member = archive.next()
    while member is not None:
        yield member
        with _parsing():
            archive.fileobj.seek(archive.offset)
            try:
                member = _Header.fromtarfile(archive)
            except tarfile.EOFHeaderError:  # the block of zeros that ends an archive
                return


def _linked(
    path: str, wanted: list[str], links: dict[str, str], rules: Rules
) -> Iterator[RawText]:
    """The texts of links, in the order of the members that they lead to; then what leads nowhere.

    wanted: the links' names. links: by name, what each of the archive leads to.
    """
    names_of: dict[str | None, list[str]] = {}
    for name in wanted:
        names_of.setdefault(_target(_plain(name), links), []).append(name)
    nowhere = names_of.pop(None, [])
    with _open_tar(path) as (archive, _):
        for member in _members(archive):
            names = names_of.pop(_plain(member.name), ()) if member.isreg() else ()
            data = read_up_to(_content(archive, member), rules.max_bytes + 1) if names else b""
            for name in names:
                if len(data) > rules.max_bytes:
                    yield RawText(f"{path}:{name}", b"", TOO_LONG)
                else:
                    content = io.BufferedReader(io.BytesIO(data))
                    yield from _member(f"{path}:{name}", content, rules)
            if not names_of:
                break
    for name in (*nowhere, *(name for names in names_of.values() for name in names)):
        yield RawText(f"{path}:{name}", b"", BROKEN_LINK)


def _target(name: str, links: dict[str, str]) -> str | None:
    """What a link leads to in the end, over links of folders too; None where it goes in a circle.
    """
    for _ in range(_MAX_STEPS):
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            if (target := links.get("/".join(parts[:end]))) is not None:
                name = _plain("/".join([target, *parts[end:]]))
                break
        else:
            return name
    return None


def _plain(name: str) -> str:
    return posixpath.normpath(name)


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _member(name: str, file: io.BufferedReader, rules: Rules) -> Iterator[RawText]:
    """A member that is damaged in itself hides no other of the archive."""
    try:
        yield from texts_of(name, file, rules)
    except Damaged:
        yield RawText(name, b"", UNREADABLE)


class _Member(io.RawIOBase):
    """A member's bytes; whatever its decompressors raise over damaged bytes becomes OSError."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self._file.read(len(buffer))
        except Exception as error:
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> io.BufferedReader:
    with _parsing():
        return io.BufferedReader(_Member(archive.extractfile(member)), _MEMBER_BUFFER)


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> io.BufferedReader:
    try:
        return io.BufferedReader(_Member(archive.open(info)), _MEMBER_BUFFER)
    except Exception as error:  # of a method that is not known, or encrypted, or damaged
        raise OSError(str(error)) from error


@contextlib.contextmanager
def _parsing() -> Iterator[None]:
    """Turns the various errors of zipfile and tarfile over damaged bytes into OSError."""
    try:
        yield
    except _DAMAGE as error:
        raise OSError(str(error)) from error
