"""Archives give the same texts as folders; a damaged archive gives the texts before the damage."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import tarfile
import zipfile

import pytest
import zstandard

from data_tools.reading.corpus import PYTHON_AND_CPP, CorpusReport, iter_documents
from data_tools.reading.file_list import FileList
from data_tools.reading.raw_text import Rules
from data_tools.reading.sources import read_texts

TEXTS = [f"def f_{i}():\n    return {i} * 7  # {'word ' * i}\n" for i in range(12)]
TEXTS.append(random.Random(0).randbytes(300_000).hex())  # several blocks of Zstandard


def read(*paths, suffixes=PYTHON_AND_CPP, **options):
    report = CorpusReport()
    files = FileList.find(paths, suffixes=suffixes, **options)
    return list(iter_documents(files, report=report)), report


def raw(path):
    """(texts, problems) of one file, every member wanted."""
    found = list(read_texts(str(path), path.stat().st_size, lambda name: True, Rules()))
    return ([text.data.decode() for text in found if not text.problem],
            [text.problem for text in found if text.problem])


def tar(texts=TEXTS, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for number, text in enumerate(texts):
            # Every third name is too long for a plain header.
            member = tarfile.TarInfo(("folder/" * 40 if number % 3 else "") + f"{number}.py")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def zipped(texts=TEXTS):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"{number}.py", text)
    return buffer.getvalue()


def lines(texts=TEXTS):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


WHOLE = {
    "a.tar": tar(),
    "a.tar.gz": gzip.compress(tar()),
    "a.tgz": gzip.compress(tar()),
    "a.tar.zst": zstandard.compress(tar()),
    "a.zip": zipped(),
    "a.jsonl": lines(),
    "a.jsonl.gz": gzip.compress(lines()),
    "a.json.gz": gzip.compress(lines()),
    "a.jsonl.zst": zstandard.compress(lines()),
    "a.zst": zstandard.compress(lines()),
    "A.TAR.GZ": gzip.compress(tar()),
    "a.tar.xz": lzma.compress(tar()),
    "a.txz": lzma.compress(tar()),
    "a.tar.bz2": bz2.compress(tar()),
    "a.jsonl.xz": lzma.compress(lines()),
    "a.ndjson.bz2": bz2.compress(lines()),
    "A.JSON.XZ": lzma.compress(lines()),
}


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip"])
def test_archives_hold_what_the_folder_holds(source_tree, tmp_path, ending):
    archive = tmp_path / f"code{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in FileList.find([source_tree], suffixes=[".py", ".txt"]):
                file.write(path)
    else:
        with tarfile.open(archive, "w:gz" if "gz" in ending else "w") as file:
            file.add(source_tree, "src")
        if ending == ".tar.zst":
            archive.write_bytes(zstandard.compress(archive.read_bytes()))
    documents, report = read(archive)
    expected, expected_report = read(source_tree)
    assert sorted(d.text for d in documents) == sorted(d.text for d in expected)
    assert report.skipped == expected_report.skipped
    assert documents[0].name.startswith(f"{archive}:")


@pytest.mark.parametrize("name", WHOLE)
def test_every_format_gives_its_texts_in_order(tmp_path, name):
    (tmp_path / name).write_bytes(WHOLE[name])
    assert raw(tmp_path / name) == (TEXTS, [])


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_globs_choose_members(tmp_path, name):
    (tmp_path / name).write_bytes(WHOLE[name])
    documents, _ = read(tmp_path / name, exclude=["**/*1.py"])
    names = [document.name.rpartition("/")[2].removeprefix(f"{name}:") for document in documents]
    assert names == [f"{i}.py" for i in range(13) if i not in (1, 11)]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.zst", "a.jsonl.gz", "a.jsonl.zst",
                                  "a.tar.xz", "a.jsonl.xz", "a.tar.bz2"])
def test_a_cut_file_gives_what_stands_before_the_cut(tmp_path, name):
    data, draw = WHOLE[name], random.Random(0)
    path = tmp_path / name
    end = len(data.rstrip(b"\0")) if name == "a.tar" else len(data)  # zeros fill a tar up
    for size in (0, 1, end - 1, *draw.sample(range(end), 40)):
        path.write_bytes(data[:size])
        texts, problems = raw(path)
        assert problems == ["unreadable"] and texts == TEXTS[: len(texts)]
    if name.endswith(".bz2"):  # its only block comes whole or not at all
        return
    # The last cut in the middle of the last text, behind all the others
    path.write_bytes(data[: end * 3 // 4])
    assert raw(path) == (TEXTS[:12], ["unreadable"])


@pytest.mark.parametrize("name", WHOLE)
def test_damage_anywhere_ends_a_file_and_not_the_run(tmp_path, name):
    data, draw, path = WHOLE[name], random.Random(1), tmp_path / name
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(draw.choice([1, 1, 5])):
            # Half of it where headers are
            place = draw.choice([len(data), min(len(data), 4000)])
            damaged[draw.randrange(place)] = draw.randrange(256)
        path.write_bytes(damaged)
        for text in read_texts(str(path), len(data), lambda name: True, Rules()):
            assert text.problem is None or text.data == b""


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.tar.gz", "a.jsonl.zst", "a.tar.zst"])
def test_a_wrong_checksum_is_noticed(tmp_path, name):
    data = lines() if "json" in name else tar()
    if name.endswith(".gz"):
        packed, checksum = bytearray(gzip.compress(data)), -8
    else:
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        packed, checksum = bytearray(compressor.compress(data)), -4
    packed[checksum] ^= 1
    path = tmp_path / name
    path.write_bytes(packed)
    texts, problems = raw(path)
    assert problems == ["unreadable"] and texts == TEXTS[: len(texts)] and len(texts) >= 12


def test_packed_files_may_be_several_in_a_row(tmp_path):
    skippable = b"\x50\x2a\x4d\x18" + b"\3\0\0\0" + b"abc"
    half = len(TEXTS) // 2
    for name, pack, between in (("a.jsonl.gz", gzip.compress, b"\0" * 100),
                                ("a.jsonl.zst", zstandard.compress, skippable)):
        path = tmp_path / name
        path.write_bytes(pack(lines(TEXTS[:half])) + between + pack(lines(TEXTS[half:])) + between)
        assert raw(path) == (TEXTS, [])


def test_an_archive_is_unpacked_by_what_it_is_and_not_by_its_name(tmp_path):
    for name, data in (("a.tgz", tar()), ("b.tar", WHOLE["a.tgz"]), ("c.tar.gz", tar(mode="w:xz")),
                       ("d.tar", WHOLE["a.tar.zst"])):
        (tmp_path / name).write_bytes(data)
        assert raw(tmp_path / name) == (TEXTS, [])


def test_a_broken_file_is_reported_and_the_rest_still_read(source_tree, tmp_path):
    names = ["no.zip", "no.tar", "no.jsonl.zst", "no.jsonl.gz"]
    for name in names:
        (tmp_path / name).write_bytes(b"this is no archive")
    documents, report = read(*(tmp_path / name for name in names), source_tree)
    assert len(documents) == 20 and report.skipped["unreadable"] == 4
    assert report.examples["unreadable"] == [str(tmp_path / name) for name in names[:3]]


def test_a_member_that_cannot_be_unpacked_hides_no_other(tmp_path):
    data = bytearray(zipped(TEXTS[:3]))
    data[data.index(b"1.py") + len("1.py")] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    documents, report = read(tmp_path / "a.zip")
    assert [d.text for d in documents] == [TEXTS[0], TEXTS[2]]
    assert report.examples == {"unreadable": [f"{tmp_path}/a.zip:1.py"]}


def test_a_folder_that_cannot_be_read_is_reported(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.py").write_text("some text of a file")
    scandir = os.scandir

    def refuse(folder):
        if folder.endswith("closed"):
            raise PermissionError(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    documents, report = read(tmp_path)
    assert len(documents) == 1 and report.examples == {"unreadable": [f"{tmp_path}/closed"]}
