"""Input paths -> the list of all files to read, four million of them in 64 MB of memory.

The paths themselves are in a temporary file without a name (in $TMPDIR; about 100 bytes a file),
which the system removes with the process. Memory holds where each path stands and the file's size.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import struct
import tempfile
from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from data_tools.reading.dataset_folder import dataset_files
from data_tools.reading.sources import require_packages
from data_tools.reading.tree_walk import Choice, Found, walk

# A path with its real path's hash before it, its length, and where in it the path below its input
# root begins.
_RECORD = struct.Struct("<QII")
_USUAL_RECORD = 512  # bytes: one read gets most records whole
_SLICE = 1 << 16  # files looked at in one piece


class FileList:
    """Files in a fixed order; files[i] is the absolute path of one, .size(i) its bytes.

    The order is sorted (tree_walk.walk) until .order(seed) changes it. A list is made by
    FileList.find, and cut into parts by .block.
    """

    def __init__(self, paths, offsets: np.ndarray, sizes: np.ndarray, choice: Choice):
        """paths: the temporary file; offsets, sizes: int64 [files]."""
        self._paths, self._offsets, self._sizes, self._choice = paths, offsets, sizes, choice
        self.newest_ns = 0  # when the file that changed last was written, of all that were found
        self._digest: str | None = None
        self._whole_digest: str | None = None

    @classmethod
    def find(
        cls,
        paths: Sequence[str | os.PathLike],
        *,
        suffixes: Sequence[str],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        exclude_dirs: Sequence[str] = (),
        outputs: str = "",
    ) -> FileList:
        """Each real file of all inputs once, where it is first met; ValueError for a bad input.

        paths: folders, walked for files with one of `suffixes` (in small letters, with the dot)
        that match one of the globs `include`, if there are any, and none of `exclude`; folders of
        a name in `exclude_dirs` are not entered. Globs (globs.Globs) are held against the path
        inside the input folder. A file named outright is taken whatever its name, and so are the
        files of a folder that datasets saved. Links and broken entries: tree_walk.walk.
        outputs: prefix of token files; the files that a run writes there are left out.

        While it looks, memory takes 28 bytes a file, and more for files that it meets twice.
        """
        choice = Choice.of(suffixes, include, exclude, exclude_dirs)
        paths_file = tempfile.TemporaryFile(buffering=1 << 20)
        offsets, sizes, hashes = array("q"), array("q"), array("Q")
        offset = newest_ns = 0
        own = _written_to(outputs)
        for found in _all_inputs(paths, choice):
            if own and own.match(found.path):
                continue
            newest_ns = max(newest_ns, found.changed_ns)
            require_packages(found.path)
            hashed, record = _record(found)
            paths_file.write(record)
            offsets.append(offset)
            sizes.append(found.size)
            hashes.append(hashed)
            offset += len(record)
        paths_file.flush()
        whole = cls(paths_file, np.frombuffer(offsets, np.int64), np.frombuffer(sizes, np.int64),
                    choice)
        whole.newest_ns = newest_ns
        whole._keep_first(_repeated(np.frombuffer(hashes, np.uint64)))
        return whole

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: int) -> str:
        return self._read(index)[1].decode("utf-8", "surrogateescape")

    def size(self, index: int) -> int:
        """Bytes when it was found; 0 for what could not be looked at."""
        return int(self._sizes[index])

    @property
    def total_bytes(self) -> int:
        return int(self._sizes.sum())

    def takes(self, member: str) -> bool:
        """Whether an archive's member of that name is read: suffix and globs, as for a folder."""
        return self._choice.by_name(member) and self._choice.by_path(member)

    def order(self, seed: int | None) -> None:
        """Sorted for None, else shuffled; the same tree and seed give the same order anywhere.

        Of a block, the files of that block. Memory takes another 20 bytes a file meanwhile.
        """
        if (self._offsets[1:] < self._offsets[:-1]).any():
            self._take(np.argsort(self._offsets))
        if seed is not None:
            # random() is the one method whose sequence Python promises to keep across versions.
            draw = random.Random(seed).random
            keys = np.fromiter((draw() for _ in range(len(self))), np.float64, len(self))
            which = np.argsort(keys, kind="stable")
            del keys
            self._take(which)

    def block(self, index: int, count: int) -> FileList:
        """Part `index` of `count`: together all files in the current order, each once."""
        if not 0 <= index < count:
            raise ValueError(f"part {index} of {count}: parts are counted from 0 to {count - 1}")
        first, end = (len(self) * i // count for i in (index, index + 1))
        part = FileList(
            self._paths, self._offsets[first:end], self._sizes[first:end], self._choice
        )
        part._whole_digest = self.whole_digest
        return part

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of "path below its input root, NUL, size, newline" of all in order."""
        if self._digest is None:
            digest = hashlib.sha256()
            for index, size in enumerate(self._sizes):
                digest.update(b"%s\0%d\n" % (self._read(index)[2], size))
            self._digest = digest.hexdigest()
        return self._digest

    @property
    def whole_digest(self) -> str:
        """The digest of the list that this one was cut from, as it was ordered then."""
        return self._whole_digest or self.digest

    def _take(self, which: np.ndarray) -> None:
        """Keep these files, in this order: int64 indices or bool [files]."""
        self._offsets = self._offsets[which]
        self._sizes = self._sizes[which]
        self._digest = None

    def _read(self, index: int) -> tuple[int, bytes, bytes]:
        """Hash, path, and path below its input root. Threads may read at once."""
        offset = int(self._offsets[index])
        data = os.pread(self._paths.fileno(), _USUAL_RECORD, offset)
        hashed, length, relative = _RECORD.unpack_from(data)
        if _RECORD.size + length > len(data):
            data = os.pread(self._paths.fileno(), _RECORD.size + length, offset)
        path = data[_RECORD.size : _RECORD.size + length]
        return hashed, path, path[relative:]

    def _keep_first(self, repeated: np.ndarray) -> None:
        """Drop files that came before; only where the hash is one of `repeated` is it looked up.

        repeated: uint64, sorted.
        """
        if not len(repeated):
            return
        indices, hashes = array("q"), array("Q")
        for first in range(0, len(self), _SLICE):
            part = range(first, min(first + _SLICE, len(self)))
            found = np.fromiter((self._read(i)[0] for i in part), np.uint64, len(part))
            nearest = np.searchsorted(repeated, found).clip(max=len(repeated) - 1)
            which = np.flatnonzero(repeated[nearest] == found)
            indices.extend((which + first).tolist())
            hashes.extend(found[which].tolist())
        keep = np.ones(len(self), dtype=bool)
        seen: set[str] = set()
        last = None
        for i in np.argsort(np.frombuffer(hashes, np.uint64), kind="stable"):
            if hashes[i] != last:
                last = hashes[i]
                seen.clear()
            real = os.path.realpath(self[indices[i]])
            keep[indices[i]] = real not in seen
            seen.add(real)
        self._take(keep)


def _all_inputs(paths: Sequence[str | os.PathLike], choice: Choice) -> Iterator[Found]:
    for path in map(os.fspath, paths):
        if os.path.isfile(path):
            folder, name = os.path.split(path)
            yield _named(os.path.realpath(folder), name)
        elif os.path.isdir(path):
            root = os.path.realpath(path)
            files = dataset_files(root)
            if files is None:
                yield from walk(root, choice)
            else:
                yield from (_named(root, file) for file in files)
        elif os.path.exists(path):
            raise ValueError(f"input path {path!r} is neither a file nor a folder")
        else:
            raise ValueError(f"input path {path!r} does not exist")


def _named(root: str, relative: str) -> Found:
    path = os.path.join(root, relative)
    status = os.stat(path)
    return Found(path, relative, status.st_size, os.path.realpath(path), status.st_mtime_ns)


def _written_to(prefix: str) -> re.Pattern | None:
    """Matches the paths of what is written for prefix X and for the parts of X by --shard."""
    if not prefix:
        return None
    folder, name = os.path.split(re.sub(r"-\d{5}-of-\d{5}$", "", prefix))
    folder, x = re.escape(os.path.join(os.path.realpath(folder), "")), re.escape(name)
    x += r"(-\d{5}-of-\d{5})?"
    return re.compile(rf"{folder}({x}_((ids\.npy|idx\.npz|meta\.json|skipped\.jsonl)$"
                      rf"|(partial|tokenizer)/)|\.{x}\.[0-9a-f]{{8}}\.tmp/)")


def _record(found: Found) -> tuple[int, bytes]:
    """The hash of the real path, and the file's record: see _RECORD."""
    path = found.path.encode("utf-8", "surrogateescape")
    start = len(path) - len(found.relative.encode("utf-8", "surrogateescape"))
    hashed = _hash(found.real)
    return hashed, _RECORD.pack(hashed, len(path), start) + path


def _hash(path: str) -> int:
    data = path.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _repeated(hashes: np.ndarray) -> np.ndarray:
    """The values that occur more than once, sorted; `hashes` is sorted in place for that."""
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
