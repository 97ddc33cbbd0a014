"""Megatron's X.bin + X.idx, as Megatron-LM, Megatron-core, GPT-NeoX and PaddleNLP exchange them.

    X.bin   the ids of all sequences, one after the other
    X.idx   magic (9 bytes), version 1 (u64), type code (u8), sequences n (u64),
            documents + 1 d (u64; absent in fairseq's older form),
            sizes int32 [n], pointers int64 [n] (bytes into X.bin),
            first sequence of each document int64 [d], modes int8 [n] (multimodal data only)

All little-endian. Forms are told apart by the length of the file. X.idx of the time before
(magic TNTIDX) is read by megatron_legacy.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_tools.files import whole_files
from data_tools.formats.documents import Row, map_ids
from data_tools.formats.megatron_legacy import LEGACY_MAGIC, read_legacy_index
from data_tools.formats.sequences import TYPES, check_documents, id_type, joined, starts_of
from data_tools.token_files.arrays import release
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import checked_prefix

MAGIC = b"MMIDIDX\x00\x00"
UINT16_BELOW = 65500  # Megatron's bound on the vocabulary; PaddleNLP's pair has 65535
CHUNK = 1 << 20  # index entries or ids looked at together


def read_megatron(prefix: str) -> Row:
    """The documents of X.bin + X.idx; several sequences of one document are joined.

    ValueError, in one sentence, for a damaged or foreign file, floats, or multimodal data.
    """
    prefix = prefix[:-4] if prefix.endswith((".bin", ".idx")) else prefix
    index, data = Path(f"{prefix}.idx"), Path(f"{prefix}.bin")
    for path in (index, data):
        if not path.is_file():
            raise ValueError(f"{path} is missing: {prefix}.bin and {prefix}.idx go together")
    with open(index, "rb") as file:
        magic = file.read(9)
    if magic[:8] == LEGACY_MAGIC:
        code, starts, documents = read_legacy_index(index)
    elif magic == MAGIC:
        code, starts, documents = _read_index(index)
    else:
        raise ValueError(f"{index} begins with {magic!r}, expected {MAGIC!r}")
    dtype = id_type(index, code)
    if data.stat().st_size != starts[-1] * dtype.itemsize:
        raise ValueError(
            f"{data} is {data.stat().st_size} bytes long but {index} announces "
            f"{starts[-1] * dtype.itemsize}: copy both again or make them again"
        )
    notes = joined(documents)
    if Path(f"{prefix}.lsm").exists():
        notes.append(f"left out the loss mask {prefix}.lsm, token files have none")
    return Row(map_ids(data, dtype), starts[documents], notes)


def _read_index(path: Path) -> tuple[int, np.ndarray, np.ndarray]:
    """(type code, int64 [n + 1] where sequences start in ids, int64 [documents + 1])."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(34)
    if size < 26:
        raise ValueError(f"{path} is cut short: {size} bytes")
    version, code, sequences = struct.unpack("<QBQ", header[9:26])
    if version != 1:
        raise ValueError(f"{path} has version {version}, expected 1")
    arrays = 12 * sequences
    entries = struct.unpack("<Q", header[26:34])[0] if size >= 34 else 0
    with_documents = 34 + arrays + 8 * entries
    forms = {26 + arrays: "fairseq", with_documents: "", with_documents + sequences: "modes"}
    if size not in forms:
        raise ValueError(
            f"{path} is {size} bytes long, but {sequences} sequences and {entries} document "
            f"entries take {with_documents}: copy it again or make it again"
        )
    body = 26 if forms[size] == "fairseq" else 34
    sizes = _map(path, "<i4", body, sequences)
    starts = starts_of(path, sizes)
    _check_pointers(path, _map(path, "<i8", body + 4 * sequences, sequences), starts, code)
    if forms[size] == "fairseq":
        return code, starts, np.arange(sequences + 1)
    documents = np.array(_map(path, "<i8", body + arrays, entries))
    check_documents(path, documents, sequences)
    if forms[size] == "modes" and _map(path, "<i1", with_documents, sequences).any():
        raise ValueError(f"{path} is multimodal (modes other than 0), expected text alone")
    return code, starts, documents


def _map(path: Path, dtype: str, start: int, length: int) -> np.ndarray:
    return np.memmap(path, dtype, "r", start, (length,)) if length else np.empty(0, dtype)


def _check_pointers(path: Path, pointers: np.ndarray, starts: np.ndarray, code: int) -> None:
    """Each sequence begins where the one before it ends, as all writers have it."""
    itemsize = id_type(path, code).itemsize
    for first in range(0, len(pointers), CHUNK):
        here = pointers[first : first + CHUNK]
        expected = starts[first : first + len(here)] * itemsize
        wrong = np.flatnonzero(here != expected)
        if len(wrong):
            i = int(wrong[0])
            raise ValueError(
                f"{path}: the pointer of sequence {first + i} is {here[i]}, the sizes before it "
                f"make {expected[i]}: make it again"
            )


def write_megatron(
    data: TokenFile,
    prefix: str,
    vocab_size: int,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Write X.bin + X.idx, sentences as sequences.

    uint16 for a vocabulary below 65500, else int32: Megatron's rule. ValueError for an id
    outside the vocabulary.
    """
    dtype = np.dtype("<u2" if vocab_size < UINT16_BELOW else "<i4")
    code = next(code for code, name in TYPES.items() if name == dtype.str)
    prefix = checked_prefix(prefix)
    Path(prefix).parent.mkdir(parents=True, exist_ok=True)
    with whole_files(f"{prefix}.bin", f"{prefix}.idx") as (ids_file, index):
        for start in range(0, len(data.ids), CHUNK):
            ids = data.ids[start : start + CHUNK]
            low, high = int(ids.min()), int(ids.max())
            if low < 0 or high >= vocab_size:
                raise ValueError(
                    f"token id {low if low < 0 else high} is outside the vocabulary of {vocab_size}"
                )
            ids_file.write(np.ascontiguousarray(ids, dtype))
            progress(len(ids))
            release(data.ids)
        index.write(MAGIC + struct.pack("<QBQQ", 1, code, len(data.lens), len(data.docs)))
        index.write(np.ascontiguousarray(data.lens, "<i4"))
        starts = starts_of(Path(data.prefix), data.lens)
        index.write(np.ascontiguousarray(starts[:-1] * dtype.itemsize, "<i8"))
        index.write(np.ascontiguousarray(data.docs, "<i8"))
