"""A thousand damaged token files: each raises a ValueError, or has consistent contents."""

import random
import warnings

import numpy as np
import pytest

from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

IDS = np.arange(200) % 50
LENS = [7, 1, 90, 2, 100]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """(name of the pair, {file: bytes}) of every form a token file can have."""
    folder = tmp_path_factory.mktemp("fuzz")
    ends = np.cumsum(LENS)
    with TokenFileWriter(folder / "ours", 50) as writer:
        for end, length in zip(ends, LENS, strict=True):
            writer.append(IDS[end - length : end])
    ids, lens = IDS.astype(np.int32), np.array(LENS, np.int32)
    docs = np.array([0, 2, 2, 5])
    np.save(folder / "packed_ids.npy", ids)
    np.savez_compressed(folder / "packed_idx.npz", lens=lens, docs=docs, sents=np.append(0, ends))
    np.savez(folder / "legacy_ids.npz", ids=ids, lens=lens, docs=docs)
    return [
        {path.name: path.read_bytes() for path in folder.glob(f"{name}_*")}
        for name in ("ours", "packed", "legacy")
    ]


def damaged(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        at, other, length = draw.randrange(len(data)), draw.randrange(len(data)), draw.randrange(40)
        match draw.randrange(7):
            case 0 | 1:
                data[at] ^= 1 << draw.randrange(8)
            case 2:
                data[at : at + length] = draw.randbytes(length)
            case 3:
                data[at : at + length] = data[other : other + length]
            case 4:
                data[at:at] = data[other : other + length]
            case 5:
                data[at : at + 4] = draw.choice((b"\xff" * 4, b"\0" * 4, b"\0\0\0\x80"))
            case 6:
                del data[at : draw.choice((at + length, len(data)))]
        if not data:
            break
    return bytes(data)


def holds_together(data: TokenFile) -> bool:
    offsets = data.document_offsets
    return (
        data.ids.dtype in (np.uint16, np.int32)
        and data.ids.ndim == data.lens.ndim == data.docs.ndim == 1
        and (data.lens.dtype, data.docs.dtype) == (np.int32, np.int64)
        and (data.lens >= 0).all()
        and offsets[0] == 0
        and offsets[-1] == len(data.ids) == data.lens.sum()
        and (np.diff(offsets) >= 0).all()
        and sum(len(data.document(i)) for i in range(len(data))) == len(data.ids)
    )


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_refused_or_harmless(originals, tmp_path, seed):
    draw = random.Random(seed)
    refused = opened = reported = 0
    for _ in range(200):
        files = draw.choice(originals)
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        victim = draw.choice(sorted(files))
        content = damaged(files[victim], draw)
        (tmp_path / victim).write_bytes(content)
        prefix = tmp_path / victim.split("_")[0]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                data = TokenFile.open(prefix)
        except ValueError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error)
            refused += 1
            continue
        finally:
            for name in files:
                (tmp_path / name).unlink()
        assert holds_together(data)
        opened += 1
        if victim == "ours_ids.npy":
            (tmp_path / victim).write_bytes(content)
            problems = data.verify()
            (tmp_path / victim).unlink()
            assert problems or data.ids.tolist() == IDS.tolist()
            reported += bool(problems)
        elif victim.endswith(".npz"):  # its parts carry checksums
            assert data.ids.tolist() == IDS.tolist() and data.lens.tolist() == LENS
    # Damage of all kinds was tried, and it was not all refused at the first byte.
    assert refused > 70 and opened > 12 and reported > 2
