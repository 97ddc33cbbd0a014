"""Index files and metas that lie: each opens with its meaning unchanged, or is refused in one line.

`pytest -s -m exhaustive` tells ten thousand lies of each kind.
"""

import io
import json
import random
import tracemalloc
import zipfile

import numpy as np
import pytest

from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

EOS, LENS = 9, [3, 1, 6, 2]
IDS = [5, 6, EOS, EOS, 1, 2, 3, 4, 5, EOS, 8, EOS]
META = {"eos_token_id": EOS, "append_eos": True, "utf8_bytes": 40, "seed": 7, "shuffled": True,
        "made_by": "a test", "source": {"skipped": {"binary": 2}}}
ENORMOUS = (2**15, 2**16, 2**31, 2**32 - 1, 2**63 - 1, 2**64, 10**15, 10**30, 10**400)
NUMBERS = (0, -1, 1, 2, 5, 300, *ENORMOUS, *(-n for n in ENORMOUS), 0.5, 4.0, 1e300, float("nan"),
           float("inf"), True, False)
VALUES = (*NUMBERS, None, "", "4", "a" * 64, "..", "a/b", "\0", "\ud800", [], [1], [[]], {}, "x_t")


@pytest.fixture
def prefix(tmp_path):
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        writer.append_flat(np.array(IDS), np.cumsum([0, *LENS]))
        writer.meta = dict(META)
    return tmp_path / "x"


def opened(prefix):
    """The open file, or None where it is refused; little memory may be taken before."""
    tracemalloc.start()
    try:
        data = TokenFile.open(prefix)
        data.verify()
        return data
    except ValueError as error:
        assert "\n" not in str(error) and str(prefix) in str(error)
        return None
    finally:
        assert tracemalloc.get_traced_memory()[1] < 30e6
        tracemalloc.stop()


def npy_lie(draw, row):
    """A .npy file of `row` whose type, shape, values or length lie."""
    kind, shape, data = row.dtype.str, str((len(row),)), row.tobytes()
    match draw.randrange(6):
        case 0:
            kind = draw.choice(("<u2", "<i4", "<i8", ">i4", "<u4", "<f4", "<f8", "|O", "|V4", "<U1",
                                "|b1", "<c8", "i4", "<i3", "<m8[s]"))
        case 1:
            shape = str(draw.choice([(draw.choice(NUMBERS),), (len(row), 1), (), (0,), ("4",),
                                     (1, len(row)), (len(row) - 1,), (len(row) + 1,)]))
        case 2:
            row = row.copy()
            info = np.iinfo(row.dtype)
            row[draw.randrange(len(row))] = draw.choice((0, 1, info.min, info.max, len(row)))
            data = row.tobytes()
        case 3:
            data = data[: draw.randrange(len(data))]
        case 4:
            row = draw.choice((row[::-1], np.delete(row, 0), np.append(row, row[-1]),
                               row.astype("i8"), row.astype("f4"), row.reshape(1, -1)))
            kind, shape, data = row.dtype.str, str(row.shape), row.tobytes()
        case 5:
            data += draw.randbytes(draw.randint(1, 20))
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + data


def index_lie(draw, prefix):
    """Make one of the two index files lie."""
    ids = np.array(IDS, np.uint16)
    if draw.random() < 0.4:
        prefix.with_name("x_ids.npy").write_bytes(npy_lie(draw, ids))
        return
    rows = {"lens": np.array(LENS, np.int32), "docs": np.arange(5)}
    members = {}
    for name, row in rows.items():
        buffer = io.BytesIO()
        np.save(buffer, row)
        members[name] = buffer.getvalue()
    name = draw.choice(list(rows))
    members[name] = npy_lie(draw, rows[name])
    if draw.random() < 0.05:
        del members[name]
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(prefix.with_name("x_idx.npz"), "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def meta_lie(draw, meta):
    """The meta file's text after one lie."""
    meta, key = dict(meta), draw.choice(list(meta))
    match draw.randrange(8):
        case 0:
            del meta[key]
        case 1:
            text = json.dumps(meta)
            return draw.choice((f"[{text}]", text[: draw.randrange(300)], "", "\0" + text,
                                "[" * 10**5, f'{{"tokens": {"9" * 5000}}}'))
        case _:
            meta[key] = draw.choice(VALUES)
    return json.dumps(meta)


LIES = pytest.mark.parametrize("lies", [400, pytest.param(10_000, marks=[
    pytest.mark.exhaustive, pytest.mark.timeout(1800)])])


@LIES
def test_index_files_that_lie(prefix, lies):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw, refused = random.Random(seed), 0
    whole = {name: prefix.with_name(name).read_bytes() for name in ("x_ids.npy", "x_idx.npz")}
    for _ in range(lies):
        for name, content in whole.items():
            prefix.with_name(name).write_bytes(content)
        index_lie(draw, prefix)
        data = opened(prefix)
        if data is None:
            refused += 1
            continue
        # What opens has whole documents; other ids are for the checksum in the meta file to tell.
        assert data.ids.dtype == np.uint16 and len(data.ids) == len(IDS) == data.lens.sum()
        assert data.document_offsets[-1] == len(IDS) and len(data) == 4
        assert data.ids.tolist() == IDS or any("sha256" in problem for problem in data.verify())
    assert refused > lies / 2


@LIES
def test_metas_that_lie(prefix, lies):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw, path, refused = random.Random(seed), prefix.with_name("x_meta.json"), 0
    meta = json.loads(path.read_text())
    for _ in range(lies):
        text = meta_lie(draw, meta)
        path.write_text(text)
        data = opened(prefix)
        if data is None:
            refused += 1
            continue
        assert (data.meta["tokens"], data.meta["documents"]) == (12, 4)
        assert 1 <= data.meta.get("vocab_size", 10) < 65535
        if data.meta.get("append_eos"):
            assert data.meta["eos_token_id"] == EOS
        for key in ("seed", "utf8_bytes"):
            assert type(data.meta.get(key, 0)) is int and 0 <= data.meta.get(key, 0) < 2**63
    assert refused > lies / 3
