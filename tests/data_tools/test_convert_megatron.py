"""Megatron's files: read from bytes written by hand, in every older form; errors; round trips."""

import random
import struct

import numpy as np
import pytest

from data_tools.convert import main
from data_tools.formats import documents, megatron
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

IDS = [5, 6, 7, 1, 9, 9]
SIZES = [3, 1, 2]
CODES = {"u1": 1, "i1": 2, "i2": 3, "i4": 4, "i8": 5, "u2": 8, "u4": 9, "u8": 10}


def longs(values, kind="q"):
    return struct.pack(f"<{len(values)}{kind}", *values)


def index(sizes=SIZES, docs=(0, 1, 2, 3), code=8, width=2, pointers=None, version=1, modes=b""):
    """The bytes of X.idx; docs None: in fairseq's form, without documents."""
    starts = [width * sum(sizes[:i]) for i in range(len(sizes))]
    head = b"MMIDIDX\0\0" + struct.pack("<QBQ", version, code, len(sizes))
    count = b"" if docs is None else struct.pack("<Q", len(docs))
    body = longs(sizes, "i") + longs(starts if pointers is None else pointers)
    return head + count + body + longs(docs or []) + modes


def legacy(sizes=SIZES, docs=(0, 1, 2, 3), code=8, width=2, kind="q", dims=None, places=None):
    """The bytes of X.idx in Megatron's older form; docs None: in fairseq's form."""
    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)] if places is None else places
    head = b"TNTIDX\0\0" + longs([1, code, width, len(sizes), len(sizes)])
    count = b"" if docs is None else longs([len(docs)])
    dims = list(range(len(sizes) + 1)) if dims is None else dims
    return head + count + longs(dims) + longs(starts) + longs(sizes, kind) + longs(docs or [])


@pytest.fixture
def save(tmp_path):
    def save(idx, ids=IDS, dtype="u2"):
        (tmp_path / "m.idx").write_bytes(idx)
        np.array(ids, "<" + dtype).tofile(tmp_path / "m.bin")
        return tmp_path / "m"

    return save


@pytest.fixture
def convert(capsys, tmp_path):
    def convert(prefix, *flags, code=0):
        arguments = ["from-megatron", str(prefix), str(tmp_path / "y"), *map(str, flags)]
        assert main(arguments) == code
        shown = capsys.readouterr()
        if code:
            assert shown.err.count("\n") == 1
            return shown.err
        data = TokenFile.open(tmp_path / "y")
        assert data.verify() == []
        return [data.document(i).tolist() for i in range(len(data))], shown.out

    return convert


def test_what_is_written_is_megatrons_format(tmp_path, capsys):
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        writer.append_flat(np.array(IDS), np.array([0, 3, 4, 6]))
    main(["to-megatron", str(tmp_path / "x"), str(tmp_path / "m")])
    assert (tmp_path / "m.bin").read_bytes() == np.array(IDS, "<u2").tobytes()
    assert (tmp_path / "m.idx").read_bytes() == index()
    assert f"wrote {tmp_path / 'm'}.{{bin,idx}}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("vocab_size", "dtype", "ours"),
    [(65499, "<u2", "uint16"), (65500, "<i4", "uint16"), (65535, "<i4", "int32")],
)
def test_there_and_back_is_the_same_file(tmp_path, convert, monkeypatch, vocab_size, dtype, ours):
    monkeypatch.setattr(megatron, "CHUNK", 5)
    monkeypatch.setattr(documents, "BLOCK_TOKENS", 7)
    random = np.random.default_rng(0)
    lens = random.integers(1, 9, 50)
    ids = random.integers(0, vocab_size, lens.sum())
    with TokenFileWriter(tmp_path / "x", vocab_size) as writer:
        writer.append_flat(ids, np.append(0, np.cumsum(lens)))
    main(["to-megatron", str(tmp_path / "x"), str(tmp_path / "m")])
    assert np.fromfile(tmp_path / "m.bin", dtype).tolist() == ids.tolist()
    rows, _ = convert(tmp_path / "m", "--vocab_size", vocab_size)
    assert len(rows) == 50 and TokenFile.open(tmp_path / "y").ids.dtype == ours
    for name in ("ids.npy", "idx.npz"):
        assert (tmp_path / f"y_{name}").read_bytes() == (tmp_path / f"x_{name}").read_bytes()


def test_sentences_go_out_as_sequences_and_come_back_joined(tmp_path, convert):
    np.save(tmp_path / "x_ids.npy", np.array(IDS, np.int32))
    lens, docs = np.array([1, 2, 0, 3], np.int32), np.array([0, 2, 3, 3, 4])
    np.savez(tmp_path / "x_idx.npz", lens=lens, docs=docs)
    main(["to-megatron", str(tmp_path / "x"), str(tmp_path / "m")])
    assert (tmp_path / "m.idx").read_bytes() == index(lens.tolist(), docs.tolist())
    rows, shown = convert(tmp_path / "m.idx")
    assert rows == [[5, 6, 7], [1, 9, 9]]
    assert "joined the sequences of 1 documents that have several (4 sequences in all)" in shown
    assert "dropped 2 empty documents" in shown
    assert "vocabulary: 10, by the largest id" in shown


@pytest.mark.parametrize(("dtype", "code"), CODES.items())
def test_every_type_of_id_is_read(save, convert, dtype, code):
    width = int(dtype[1])
    for idx in (index(code=code, width=width), legacy(code=code, width=width)):
        assert convert(save(idx, dtype=dtype))[0] == [[5, 6, 7], [1], [9, 9]]


@pytest.mark.parametrize(
    ("idx", "rows"),
    [
        (index(docs=(0, 2, 3)), [[5, 6, 7, 1], [9, 9]]),
        (index(docs=None), [[5, 6, 7], [1], [9, 9]]),
        (index(modes=b"\0\0\0"), [[5, 6, 7], [1], [9, 9]]),
        (index(sizes=[0, 3, 0, 3], docs=(0, 1, 3, 4)), [[5, 6, 7], [1, 9, 9]]),
        (index(sizes=[6], docs=None), [IDS]),
        (legacy(docs=(0, 1, 3)), [[5, 6, 7], [1, 9, 9]]),
        (legacy(docs=(0, 1, 3), kind="i"), [[5, 6, 7], [1, 9, 9]]),
        (legacy(docs=None), [[5, 6, 7], [1], [9, 9]]),
        # Sizes of two items take as much room as PaddleNLP's with an empty document index.
        (legacy(sizes=[2, 4], docs=None), [[5, 6], [7, 1, 9, 9]]),
        (legacy(sizes=[1, 2, 2, 1], docs=(0, 4), kind="i"), [IDS]),
    ],
)
def test_every_form_of_the_index_is_read(save, convert, idx, rows):
    assert convert(save(idx))[0] == rows


def test_a_loss_mask_is_said_to_be_left_out(save, convert, tmp_path):
    (tmp_path / "m.lsm").write_bytes(b"\1" * 6)
    assert "left out the loss mask" in convert(save(index()))[1]


@pytest.mark.parametrize(
    ("idx", "message"),
    [
        (b"", "begins with b''"),
        (b"PK\3\4" * 20, "begins with b'PK"),
        (index()[:20], "is cut short: 20 bytes"),
        (index()[:-1], "is 101 bytes long, but 3 sequences and 4 document entries take 102"),
        (index() + b"\0", "is 103 bytes long"),
        (index(version=2), "has version 2, expected 1"),
        (index(code=6), "says that the data are floats"),
        (index(code=7), "says that the data are floats"),
        (index(code=11), "has the unknown type code 11"),
        (index(code=0), "has the unknown type code 0"),
        (index(modes=b"\0\1\0"), "is multimodal"),
        (index(sizes=[7, -1, 0]), "sequence 1 has the size -1"),
        (index(pointers=[0, 6, 10]), "the pointer of sequence 2 is 10, the sizes before it make 8"),
        (index(pointers=[0, -6, 8]), "the pointer of sequence 1 is -6"),
        (index(docs=(0, 2, 1, 3)), "does not rise from 0 to the 3 sequences"),
        (index(docs=(1, 3)), "does not rise from 0 to the 3 sequences"),
        (index(docs=(0,)), "does not rise from 0 to the 3 sequences"),
        (index(sizes=[3, 1, 3]), "m.bin is 12 bytes long but"),
        (index(code=4, width=4), "m.bin is 12 bytes long but"),
        (index()[:18] + longs([2**62]) + index()[26:], "sequences and 4 document entries take"),
        (legacy()[:40], "is cut short: 40 bytes"),
        (legacy()[:-1], "which does not fit 3 items, 3 sizes and 4 document entries"),
        (legacy(width=4), "has version 1 and 4 bytes per id of type code 8"),
        (legacy(code=7, width=4), "says that the data are floats"),
        (legacy(dims=[0, 2, 3, 3]), "holds items of several dimensions"),
        (legacy(places=[0, 3, 5, 6]), "item 2 starts at id 5, the sizes before it make 4"),
        (legacy(docs=(0, 2)), "does not rise from 0 to the 3 sequences"),
        (legacy()[:32] + longs([3, 4, 4]) + legacy()[56:], "which does not fit 3 items, 4 sizes"),
        (legacy(sizes=[2**62] * 3, places=[0, 3, 4, 6]), "expected rows of ids"),
    ],
)
def test_damage_is_named(save, convert, idx, message):
    assert message in convert(save(idx), code=2)


def test_one_file_of_two_is_not_enough(save, convert, tmp_path):
    (save(index()).parent / "m.bin").unlink()
    assert "m.bin is missing: " in convert(tmp_path / "m", code=2)


def test_an_id_outside_the_vocabulary_is_refused_both_ways(save, convert, tmp_path, capsys):
    prefix = save(index(code=3), [5, 6, -7, 1, 9, 9], "i2")
    assert "token id -7 is outside the vocabulary of 10" in convert(prefix, code=2)
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        writer.append(np.array(IDS))
    arguments = ["to-megatron", str(tmp_path / "x"), str(tmp_path / "z"), "--vocab_size", "9"]
    assert main(arguments) == 2
    assert "token id 9 is outside the vocabulary of 9" in capsys.readouterr().err
    assert not list(tmp_path.glob("z*"))


@pytest.mark.parametrize("seed", range(4))
def test_damage_at_random_is_refused_or_harmless(tmp_path, seed):
    draw = random.Random(seed)
    refused = 0
    for _ in range(150):
        form = draw.choice((index(), index(docs=None), legacy(), legacy(kind="i")))
        data = bytearray(form)
        for _ in range(draw.choice((1, 1, 3))):
            at = draw.randrange(len(data))
            match draw.randrange(4):
                case 0:
                    data[at] ^= 1 << draw.randrange(8)
                case 1:
                    data[at : at + 8] = draw.choice((b"\xff" * 8, b"\0" * 8, b"\0" * 7 + b"\x80"))
                case 2:
                    data[at:at] = draw.randbytes(draw.randrange(1, 9))
                case 3:
                    del data[at : at + draw.randrange(1, 60)]
        (tmp_path / "m.idx").write_bytes(data)
        np.array(IDS, "<u2").tofile(tmp_path / "m.bin")
        try:
            source = megatron.read_megatron(str(tmp_path / "m"))
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        blocks = [ids.tolist() for ids, _ in source.blocks()]
        assert sum(blocks, []) == np.fromfile(tmp_path / "m.bin", source.ids.dtype).tolist()
    assert refused > 100
