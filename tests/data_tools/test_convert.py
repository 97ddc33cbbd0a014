"""convert: the command, and the plain formats (raw uint16, JSON lines, PaddleNLP's older file)."""

import json
import os
import struct

import numpy as np
import pytest

from data_tools.convert import main
from data_tools.formats import documents, nanogpt
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

DOCUMENTS = [[5, 6, 9], [9], [1, 2, 3, 4, 9]]


def write(prefix, rows=DOCUMENTS, vocab_size=10, **meta):
    with TokenFileWriter(prefix, vocab_size) as writer:
        for ids in rows:
            writer.append(np.array(ids))
        writer.meta = meta
    return prefix


def rows(prefix):
    data = TokenFile.open(prefix)
    assert data.verify() == []
    return [data.document(i).tolist() for i in range(len(data))]


@pytest.fixture
def convert(capsys):
    def convert(*arguments, code=0):
        assert main([str(argument) for argument in arguments]) == code
        shown = capsys.readouterr()
        return shown.err if code else shown.out

    return convert


@pytest.fixture(params=[1, 3, 1 << 22], ids="blocks of {}".format)
def blocks(monkeypatch, request):
    """Every border between blocks is met."""
    for module in (documents, nanogpt):
        monkeypatch.setattr(module, "BLOCK_TOKENS", request.param)


def test_nanogpt_and_back(tmp_path, convert, blocks):
    shown = convert("to-nanogpt", write(tmp_path / "x", eos_token_id=9), tmp_path / "train.bin")
    assert shown == f"documents: 3  tokens: 9\nwrote {tmp_path / 'train.bin'}\n"
    raw = (tmp_path / "train.bin").read_bytes()
    assert raw == np.array([5, 6, 9, 9, 1, 2, 3, 4, 9], "<u2").tobytes()
    flags = ("--eos", 9, "--vocab_size", 10)
    convert("from-nanogpt", tmp_path / "train.bin", tmp_path / "y", *flags)
    for name in ("ids.npy", "idx.npz"):
        assert (tmp_path / f"y_{name}").read_bytes() == (tmp_path / f"x_{name}").read_bytes()
    meta = TokenFile.open(tmp_path / "y").meta
    assert (meta["eos_token_id"], meta["append_eos"], meta["vocab_size"]) == (9, True, 10)
    assert meta["source"]["converted"] == "from-nanogpt"
    assert sorted(os.listdir(tmp_path))[0] == "train.bin" and len(os.listdir(tmp_path)) == 7


def test_where_nanogpts_documents_end(tmp_path, convert, blocks):
    path, out = tmp_path / "t.bin", tmp_path / "y"
    np.array([1, 50256, 2, 3, 50256, 4], "<u2").tofile(path)
    shown = convert("from-nanogpt", path, out)
    assert "vocabulary: 50,257, by the largest id" in shown
    assert "1 documents do not end in the end token 50256" in shown
    assert rows(out) == [[1, 50256], [2, 3, 50256], [4]]
    assert TokenFile.open(out).meta["append_eos"] is False
    convert("from-nanogpt", path, out, "--eos", 3)
    assert rows(out) == [[1, 50256, 2, 3], [50256, 4]]
    convert("from-nanogpt", path, out, "--one_document")
    assert rows(out) == [[1, 50256, 2, 3, 50256, 4]]
    np.array([1, 2, 64], "<u2").tofile(path)
    shown = convert("from-nanogpt", path, out)
    assert "one document: 50256 is nowhere in it" in shown and "vocabulary: 65," in shown
    assert rows(out) == [[1, 2, 64]] and TokenFile.open(out).meta["eos_token_id"] is None


@pytest.mark.parametrize("header", [(20240801, 7), (20240520, 2)])
def test_llm_cs_other_headers_are_refused(tmp_path, convert, header):
    (tmp_path / "x.bin").write_bytes(np.array([*header, 2], "<i4").tobytes().ljust(1032, b"\0"))
    error = convert("from-nanogpt", tmp_path / "x.bin", tmp_path / "y", code=2)
    assert f"llm.c's header {header[0]} of version {header[1]}" in error


def test_llm_cs_header_is_not_taken_for_ids(tmp_path, convert):
    header = np.zeros(256, "<i4")
    header[:3] = 20240520, 1, 3
    (tmp_path / "t.bin").write_bytes(header.tobytes() + struct.pack("<3H", 7, 50256, 8))
    assert "left out the header" in convert("from-nanogpt", tmp_path / "t.bin", tmp_path / "y")
    assert rows(tmp_path / "y") == [[7, 50256], [8]]
    with open(tmp_path / "t.bin", "ab") as file:
        file.write(b"\0\0")
    error = convert("from-nanogpt", tmp_path / "t.bin", tmp_path / "y", code=2)
    assert "is 1032 bytes long but its header announces 3 ids, 1030 bytes" in error


def test_what_nanogpt_cannot_hold(tmp_path, convert):
    write(tmp_path / "x", [[1, 65535], [65536]], 70_000)
    error = convert("to-nanogpt", tmp_path / "x", tmp_path / "t.bin", code=2)
    assert "token id 65536 does not fit nanoGPT's two bytes" in error
    write(tmp_path / "x", [[1, 65535], [65535]], 70_000)
    shown = convert("to-nanogpt", tmp_path / "x", tmp_path / "t.bin", "--eos", 1)
    assert "2 documents do not end in 1, so their ends are lost" in shown
    assert "no end token is known" in convert("to-nanogpt", tmp_path / "x", tmp_path / "t.bin")
    (tmp_path / "t.bin").write_bytes(b"abc")
    error = convert("from-nanogpt", tmp_path / "t.bin", tmp_path / "y", code=2)
    assert "is 3 bytes long, expected two for each id" in error


def test_json_lines(tmp_path, convert, blocks):
    records = [{"token_ids": ids, "label": "Python"} for ids in ([3, 1], [], [2], [0, 7])]
    (tmp_path / "t.jsonl").write_text("\n\n".join(map(json.dumps, records)))
    shown = convert("from-jsonl-ids", tmp_path / "t.jsonl", tmp_path / "y")
    assert "documents: 3  tokens: 5\ndropped 1 empty documents\n" in shown
    assert rows(tmp_path / "y") == [[3, 1], [2], [0, 7]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 has no list 'token_ids'"),
        ('{"ids": [1]}', "line 2 has no list 'token_ids'"),
        ('{"token_ids": [1, true]}', "line 2: 'True' is not a token id"),
        ('{"token_ids": [1.0]}', "line 2: '1.0' is not a token id"),
        ('{"token_ids": [-1]}', "line 2: '-1' is not a token id"),
        ('{"token_ids": [2147483648]}', "line 2: '2147483648' is not a token id"),
        ("[" * 100_000, "line 2 is not JSON"),
    ],
)
def test_json_lines_that_hold_no_ids(tmp_path, convert, line, message):
    (tmp_path / "t.jsonl").write_text('{"token_ids": [1]}\n' + line)
    assert message in convert("from-jsonl-ids", tmp_path / "t.jsonl", tmp_path / "y", code=2)
    assert os.listdir(tmp_path) == ["t.jsonl"]


def test_paddlenlps_older_file(tmp_path, convert, blocks):
    ids, lens = np.arange(7, dtype=np.int32), np.array([2, 0, 0, 4, 1], np.int32)
    docs = np.array([0, 1, 2, 5])
    np.savez(tmp_path / "x_ids.npz", ids=ids, lens=lens, docs=docs)
    shown = convert("from-npz", tmp_path / "x_ids.npz", tmp_path / "y")
    assert "joined the sequences of 1 documents that have several (5 sequences in all)" in shown
    assert "dropped 1 empty documents" in shown and "documents: 2  tokens: 7" in shown
    assert rows(tmp_path / "y") == [[0, 1], [2, 3, 4, 5, 6]]
    np.savez(tmp_path / "x_ids.npz", ids=ids, lens=lens)
    convert("from-npz", tmp_path / "x", tmp_path / "y")
    assert rows(tmp_path / "y") == [[0, 1], [2, 3, 4, 5], [6]]


def test_the_tokenizer_is_stored_with_the_ids(tmp_path, convert, tokenizer):
    tokenizer.save(tmp_path / "tok")
    ids = [*tokenizer.encode("a + b").tolist(), tokenizer.eos_token_id]
    (tmp_path / "t.jsonl").write_text(json.dumps({"token_ids": ids}))
    flags = ("--tokenizer", tmp_path / "tok")
    convert("from-jsonl-ids", tmp_path / "t.jsonl", tmp_path / "y", *flags)
    meta = TokenFile.open(tmp_path / "y").meta
    assert meta["tokenizer_fingerprint"] == tokenizer.fingerprint()
    assert (meta["vocab_size"], meta["eos_token_id"], meta["append_eos"]) == (
        tokenizer.vocab_size,
        tokenizer.eos_token_id,
        True,
    )
    assert (tmp_path / "y_tokenizer" / "tokenizer.json").exists()
    small = (*flags, "--vocab_size", 10)
    error = convert("from-jsonl-ids", tmp_path / "t.jsonl", tmp_path / "y", *small, code=2)
    assert f"--vocab_size 10 is less than the tokenizer's {tokenizer.vocab_size}" in error


def test_a_vocabulary_that_is_too_small_leaves_no_files(tmp_path, convert):
    np.array([1, 2, 9], "<u2").tofile(tmp_path / "t.bin")
    for flags, message in [
        (("--vocab_size", 9, "--one_document"), "token id 9 is outside the vocabulary of 9"),
        (("--vocab_size", 10, "--eos", 10), "the end token 10 is outside the vocabulary of 10"),
    ]:
        assert message in convert(
            "from-nanogpt", tmp_path / "t.bin", tmp_path / "y", *flags, code=2
        )
    (tmp_path / "empty.bin").write_bytes(b"")
    error = convert("from-nanogpt", tmp_path / "empty.bin", tmp_path / "y", code=2)
    assert "no documents to write" in error
    assert sorted(os.listdir(tmp_path)) == ["empty.bin", "t.bin"]


@pytest.mark.parametrize("form", ["from-megatron", "from-nanogpt", "from-hf", "from-npz",
                                  "from-jsonl-ids", "to-megatron", "to-nanogpt"])  # fmt: skip
def test_what_is_not_there_is_one_line(tmp_path, convert, form):
    if form == "from-hf":
        pytest.importorskip("pyarrow")
    error = convert(form, tmp_path / "gone", tmp_path / "y", code=2)
    assert error.startswith("error: ") and "gone" in error and error.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "flags",
    ["", "from-nowhere a b", "from-npz a", "to-hf a b.arrow", "from-nanogpt a b --eos -1",
     "from-nanogpt a b --eos 1 --one_document", "from-npz a b --column c"],
)  # fmt: skip
def test_flags_that_make_no_sense_are_one_line(flags, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(flags.split())
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
