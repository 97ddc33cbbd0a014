"""Hostile and damaged files: refused in one sentence, before anything large is allocated."""

import io
import json
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

LENS, DOCS = np.array([3, 1], np.int32), np.array([0, 1, 2], np.int64)


@pytest.fixture
def prefix(tmp_path):
    np.save(tmp_path / "x_ids.npy", np.array([5, 6, 7, 1], np.uint16))
    np.savez(tmp_path / "x_idx.npz", lens=LENS, docs=DOCS)
    return tmp_path / "x"


def npy(array=None, header=None, version=(1, 0), data=b""):
    """The bytes of a .npy file, from an array or with the given header."""
    if array is not None:
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()
    length = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + length + header + data


def row(descr="<u2", shape="4,", order="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n".encode()


def write_npz(prefix, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(f"{prefix}_idx.npz", "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)


def refusal(prefix):
    """The message with which opening is refused; less than a megabyte may be allocated before."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            TokenFile.open(prefix)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


IDS = np.array([5, 6, 7, 1], np.uint16).tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(header=row(shape=f"{2**62},"), data=IDS), "header announces 92233720368547758"),
        (npy(header=row(shape="-4,"), data=IDS), "shape is (-4,)"),
        (npy(header=row(shape="9" * 25 + ","), data=IDS), "shape is"),
        (npy(header=row(shape="2, 2"), data=IDS), "uint16 (2, 2), expected one row"),
        (npy(header=row(shape=""), data=IDS[:2]), "uint16 (), expected one row"),
        (npy(header=row(shape="1 2,"), data=IDS), "shape is"),
        (npy(header=row(shape="4,,"), data=IDS), "shape is"),
        (npy(header=row(descr="|O"), data=IDS), "holds Python objects"),
        (npy(header=row(descr="u2"), data=IDS), "holds values of type 'u2'"),
        (npy(header=b"__import__('os')"), "header is not numpy's"),
        (npy(header=b"(" * 9000), "header is not numpy's"),
        (npy(header=b"-" * 9000 + b"1"), "header is not numpy's"),
        (npy(header=b"\xff\xfe\0"), "header is not numpy's"),
        (npy(header=b" " * 10_001), "header announces 10001 bytes, expected at most 10000"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff{", "header announces 4294967295 bytes"),
        (npy(header=row(), data=IDS, version=(4, 0)), "version 1, 2 or 3"),
        (npy(header=row())[:-8], "header is not numpy's"),
        (npy(header=row(), data=IDS + b"\0"), "bytes long but its header announces"),
        (npy(np.zeros(4, [("a", "u2")])), "holds values of type \"[('a', '<u2')]\""),
        (npy(np.zeros((4, 1), np.uint16, order="F")), "(4, 1), expected one row"),
    ],
)
def test_a_hostile_ids_file_is_refused(prefix, content, message):
    (prefix.parent / "x_ids.npy").write_bytes(content)
    assert message in refusal(prefix)


@pytest.mark.filterwarnings("ignore:Reading")  # numpy's remark on Python 2
@pytest.mark.parametrize(
    "content",
    [
        npy(header=row(), data=IDS, version=(2, 0)),
        npy(header=row(), data=IDS, version=(3, 0)),
        npy(header=row(shape="4L,"), data=IDS),  # Python 2
        npy(header=row(order="True"), data=IDS),  # Julia; one row has one order
        npy(header=b"{'descr': '<u2','fortran_order': False,'shape': (4,)}", data=IDS),
    ],
)
def test_other_writers_headers_open_as_numpy_opens_them(prefix, content):
    (prefix.parent / "x_ids.npy").write_bytes(content)
    data = TokenFile.open(prefix)
    assert data.ids.tolist() == np.load(f"{prefix}_ids.npy", mmap_mode="r").tolist() == [5, 6, 7, 1]


def test_an_empty_pair_opens(tmp_path):
    np.save(tmp_path / "x_ids.npy", np.zeros(0, np.int32))
    np.savez(tmp_path / "x_idx.npz", lens=np.zeros(0, np.int32), docs=np.zeros(1, np.int64))
    data = TokenFile.open(tmp_path / "x")
    assert len(data) == 0 and data.ids.dtype == np.int32 and data.verify() == []


def test_only_lens_and_docs_are_read(prefix):
    good = [("lens.npy", npy(LENS)), ("docs.npy", npy(DOCS))]
    write_npz(prefix, [("sents.npy", b"whatever"), *good, ("../../lens.npy", b"no"), ("lens", b"")])
    assert TokenFile.open(prefix).document_offsets.tolist() == [0, 3, 4]
    write_npz(prefix, [("folder/lens.npy", npy(LENS)), good[1]])
    assert "has no array 'lens'" in refusal(prefix)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(prefix):
    write_npz(prefix, [("lens.npy", npy(LENS)), ("docs.npy", npy(DOCS)), ("lens.npy", npy(LENS))])
    assert "holds 'lens' 2 times, expected once" in refusal(prefix)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy(header=row("<i4", f"{2**60},"), data=LENS.tobytes()), "header announces 461168601"),
        (npy(header=row("<i4", "2,"), data=LENS.tobytes() + b"\0"), "but its header announces"),
        (npy(header=row("|O", "2,"), data=b"cos\nsystem\n"), "lens holds Python objects"),
        (npy(LENS.reshape(1, 2)), "lens holds int32 (1, 2), expected one row of int32"),
        (npy(LENS)[:40], "is not a readable .npz file: its header is not numpy's"),
        (b"", "is not a readable .npz file: it begins with b''"),
    ],
)
def test_a_hostile_member_is_refused(prefix, member, message):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        write_npz(prefix, [("lens.npy", member), ("docs.npy", npy(DOCS))], method)
        assert message in refusal(prefix)


def test_what_unpacks_to_gigabytes_is_refused(prefix):
    zeros = row("<i4", f"{20 * 2**20},")
    with zipfile.ZipFile(f"{prefix}_idx.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("lens.npy", "w", force_zip64=True) as stream:
            stream.write(npy(header=zeros))
            for _ in range(80):
                stream.write(bytes(1 << 20))
    assert os.path.getsize(f"{prefix}_idx.npz") < 1 << 20
    assert "lens.npy unpacks to 83886" in refusal(prefix)


def test_a_directory_that_lies_about_sizes_is_refused(prefix):
    path = prefix.parent / "x_idx.npz"
    members = [("lens.npy", npy(LENS)), ("docs.npy", npy(DOCS))]
    size = len(npy(LENS))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        write_npz(prefix, members, method)
        whole = path.read_bytes()
        entry = whole.index(b"PK\1\2")  # the directory: sizes at 20 (packed) and 24
        for field in (20, 24):
            lie = bytearray(whole)
            struct.pack_into("<I", lie, entry + field, 2**31)
            path.write_bytes(lie)
            assert "announces" in refusal(prefix)
    assert size < 200  # nothing here was large to begin with


def test_every_cut_and_foreign_compression_is_refused(prefix):
    path = prefix.parent / "x_idx.npz"
    members = [("lens.npy", npy(LENS)), ("docs.npy", npy(DOCS))]
    write_npz(prefix, members, zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert "not a readable .npz" in refusal(prefix)
    write_npz(prefix, members, zipfile.ZIP_BZIP2)
    assert "compressed in a way numpy does not write (method 12)" in refusal(prefix)


def test_a_compressed_index_opens(prefix):
    np.savez_compressed(f"{prefix}_idx.npz", lens=LENS, docs=DOCS)
    assert TokenFile.open(prefix).document(1).tolist() == [1]


def test_a_pipe_or_folder_by_that_name_is_refused(prefix):
    for name in ("ids.npy", "idx.npz"):
        path = prefix.parent / f"x_{name}"
        content = path.read_bytes()
        for make in (os.mkfifo, os.mkdir):
            path.unlink()
            make(path)
            assert refusal(prefix).endswith("is not a file")
            path.rmdir() if path.is_dir() else path.unlink()
            path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": "4"}, "tokens is '4', expected a whole number"),
        ({"documents": True}, "documents is true, expected a whole number"),
        ({"format_version": None}, "format_version is null"),
        ({"vocab_size": 0}, "vocab_size is 0, expected a whole number from 1"),
        ({"eos_token_id": "0"}, "expected a whole number from 0 to 2147483647 or null"),
        ({"append_eos": 1}, "append_eos is 1, expected true or false"),
        ({"ids_sha256": "abc"}, "ids_sha256 is 'abc', expected 64 hexadecimal digits"),
        ({"tokenizer_fingerprint": 7}, "tokenizer_fingerprint is 7"),
        ({"tokenizer": "../elsewhere"}, "expected a name without a folder"),
        ({"tokenizer": ".."}, "expected a name without a folder"),
        ({"vocab_size": 2**31 + 1}, "expected a whole number from 1 to 2147483648"),
        ({"vocab_size": 70_000}, "vocab_size is 70000, whose ids are stored as int32, but those"),
        ({"eos_token_id": 10}, "eos_token_id is 10, outside the vocabulary of 10"),
        ({"eos_token_id": 5, "append_eos": True}, "but documents end in 1"),
        ({"append_eos": True}, "append_eos is true, but no eos_token_id is told"),
        ({"utf8_bytes": 10**400}, "utf8_bytes is "),
        ({"utf8_bytes": float("nan")}, "NaN is no JSON"),
        ({"source": []}, "expected an object"), ({"shard": [1]}, "expected a list of 2"),
    ],
)
def test_a_meta_file_with_wrong_types_is_refused(tmp_path, change, message):
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        writer.append(np.array([5, 6, 7, 1]))
    path = tmp_path / "x_meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        TokenFile.open(tmp_path / "x")
    path.write_text("[" * 100_000)
    assert "nested deeper" in refusal(tmp_path / "x")
    path.unlink()
    os.mkfifo(path)
    assert "there is no such file" in refusal(tmp_path / "x")
