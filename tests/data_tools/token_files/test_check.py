"""verify() names each kind of damage with its first position, also across chunk borders."""

import json

import numpy as np
import pytest

from data_tools.token_files import check as token_file_check
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

EOS = 9
DOCUMENTS = [[5, 6, EOS], [1, EOS], [EOS], [2, 3, 4, EOS]]
START = 128  # bytes before the ids, as numpy writes them


@pytest.fixture(params=[1, 2, 3, 1 << 22], ids="chunks of {}".format)
def prefix(tmp_path, monkeypatch, request):
    monkeypatch.setattr(token_file_check, "SCAN_CHUNK", request.param)
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        for ids in DOCUMENTS:
            writer.append(np.array(ids))
        writer.meta = {"eos_token_id": EOS, "append_eos": True}
    return tmp_path / "x"


def change(prefix, *places):
    """Overwrite ids in place: (token, id)."""
    ids = np.lib.format.open_memmap(f"{prefix}_ids.npy", mode="r+")
    for token, value in places:
        ids[token] = value
    ids.flush()


def test_sound_files_have_no_problems_and_are_read_to_the_end(prefix):
    read = []
    assert TokenFile.open(prefix).verify(progress=read.append) == []
    assert sum(read) == 20


def test_an_id_outside_the_vocabulary(prefix):
    change(prefix, (4, 70), (8, 10), (6, 11))
    problems = TokenFile.open(prefix).verify()
    assert problems[0] == (
        f"id 70 at token 4 (document 1, byte {START + 8} of x_ids.npy) is outside the vocabulary "
        "of 10; 3 such ids"
    )
    assert problems[1] == (
        f"id 70 at token 4 (document 1, byte {START + 8} of x_ids.npy) ends the document, "
        "expected the end token 9; 1 such documents"
    )
    assert "it changed after it was written" in problems[2] and len(problems) == 3


def test_a_valid_id_in_place_of_another_is_seen_by_the_checksum_alone(prefix):
    change(prefix, (0, 6))
    (problem,) = TokenFile.open(prefix).verify()
    assert "x_ids.npy has sha256 " in problem and "its meta file says" in problem


def test_a_document_without_its_end(prefix):
    change(prefix, (5, 1), (9, 1))
    first, _ = TokenFile.open(prefix).verify()
    assert first == (
        f"id 1 at token 5 (document 2, byte {START + 10} of x_ids.npy) ends the document, "
        "expected the end token 9; 2 such documents"
    )


def test_the_header_is_part_of_the_checksum(prefix):
    path = prefix.parent / "x_ids.npy"
    path.write_bytes(path.read_bytes().replace(b"(10,), }", b"(10,) } "))
    (problem,) = TokenFile.open(prefix).verify()
    assert "sha256" in problem


def test_empty_documents_are_named_where_each_must_end(prefix):
    np.savez(f"{prefix}_idx.npz", lens=np.array([3, 0, 3, 4], np.int32), docs=np.arange(5))
    (problem,) = TokenFile.open(prefix).verify()
    assert problem == "document 1 is empty, expected at least the end token 9; 1 such documents"
    change(prefix, (3, 12))
    assert "at token 3 (document 2," in TokenFile.open(prefix).verify()[0]


@pytest.mark.parametrize("chunk", [1, 4, 1 << 22])
def test_without_meta_the_vocabulary_can_be_given(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(token_file_check, "SCAN_CHUNK", chunk)
    ids, lens = np.array([5, 6, -7, 1], np.int32), np.array([3, 1], np.int32)
    np.savez(tmp_path / "x_ids.npz", ids=ids, lens=lens)
    data = TokenFile.open(tmp_path / "x")
    assert data.verify() == ["id -7 at token 2 (document 0) is outside any vocabulary; 1 such ids"]
    assert data.verify(vocab_size=6) == [
        "id 6 at token 1 (document 0) is outside the vocabulary of 6; 2 such ids"
    ]


def test_without_append_eos_ends_are_not_looked_at(prefix):
    path = prefix.parent / "x_meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"append_eos": False}))
    change(prefix, (9, 1))
    (problem,) = TokenFile.open(prefix).verify()
    assert "sha256" in problem
