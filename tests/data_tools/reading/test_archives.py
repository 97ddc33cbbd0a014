"""A member of an archive is read as the file that it would be in a folder, links included."""

import gzip
import io
import json
import os
import stat
import tarfile
import tracemalloc
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList

NOWHERE = "link to no file of the archive"


def read(path, suffixes=(".py", ".jsonl", ".gz", ".parquet"), **options):
    report = CorpusReport()
    files = FileList.find([path], suffixes=suffixes)
    documents = list(iter_documents(files, report=report, **options))
    return {d.name.removeprefix(f"{path}:"): d.text for d in documents}, report


def tar(path, *members, mode="w"):
    """members: (name, content), (name, type, target)."""
    with tarfile.open(path, mode) as archive:
        for name, *rest in members:
            member = tarfile.TarInfo(name)
            if len(rest) == 1:
                member.size = len(rest[0])
                archive.addfile(member, io.BytesIO(rest[0]))
            else:
                member.type, member.linkname = rest
                archive.addfile(member)
    return path


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, *rest in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o644 | (stat.S_IFREG if len(rest) == 1 else stat.S_IFLNK)) << 16
            archive.writestr(info, rest[-1])
    return path


TEXT, OTHER = b"def shared(x):\n    return x\n", b"def own(x):\n    return 2 * x\n"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_links_of_a_tar_have_the_content_of_their_members(tmp_path, mode):
    path = tar(
        tmp_path / "a.tar",
        ("./src/first.py", tarfile.SYMTYPE, "a.txt"),  # before what it leads to
        ("./src/a.txt", TEXT),
        ("./src/hard.py", tarfile.LNKTYPE, "./src/a.txt"),
        ("./src/deep/up.py", tarfile.SYMTYPE, "../a.txt"),
        ("./src/chain.py", tarfile.SYMTYPE, "hard.py"),
        ("./lib", tarfile.SYMTYPE, "src/deep"),
        ("./src/by_folder.py", tarfile.SYMTYPE, "../lib/own.py"),
        ("./src/deep/own.py", OTHER),
        ("./src/not_taken.txt", tarfile.LNKTYPE, "./src/a.txt"),
        mode=mode,
    )
    documents, report = read(path)
    assert documents == dict.fromkeys(
        (f"./src/{name}.py" for name in ("first", "hard", "deep/up", "chain")), TEXT.decode()
    ) | {"./src/by_folder.py": OTHER.decode(), "./src/deep/own.py": OTHER.decode()}
    assert report.skipped == {}


def test_links_of_a_zip_have_the_content_of_their_members(tmp_path):
    path = zipped(tmp_path / "a.zip", ("src/b.py", "link", "a.txt"), ("src/a.txt", TEXT.decode()),
                  ("c.py", "link", "src/b.py"), ("d.py", OTHER.decode()))
    documents, report = read(path)
    assert documents == {"src/b.py": TEXT.decode(), "c.py": TEXT.decode(), "d.py": OTHER.decode()}
    assert report.skipped == {}


@pytest.mark.parametrize("target", ["gone.py", "/etc/hostname", "../../etc/hostname", "out.py",
                                    "folder", "x" * 90])
def test_a_link_to_no_member_is_named_counted_and_stops_a_strict_run(tmp_path, target):
    (tmp_path / "gone.py").write_bytes(TEXT)  # beside the archive is not in it
    members = ("a.py", TEXT), ("out.py", "link", target), ("b.py", OTHER)
    with_types = [(name, *([tarfile.SYMTYPE] if len(rest) > 1 else ()), rest[-1])
                  for name, *rest in members]
    for path in (tar(tmp_path / "a.tar", *with_types, ("folder", tarfile.DIRTYPE, "")),
                 zipped(tmp_path / "a.zip", *members)):
        documents, report = read(path)
        assert documents == {"a.py": TEXT.decode(), "b.py": OTHER.decode()}
        assert report.drain() == [(f"{path}:out.py", NOWHERE)]
        with pytest.raises(ValueError, match=f"out.py: {NOWHERE}"):
            read(path, strict=True)


def test_an_archive_holds_what_the_folder_holds_with_its_links(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "a.txt").write_bytes(TEXT)
    os.link(folder / "a.txt", folder / "b.py")
    (folder / "c.py").symlink_to("a.txt")
    (folder / "d.py").write_bytes(OTHER)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder, "src")
    of_folder, _ = read(folder)
    of_archive, report = read(tmp_path / "a.tar")
    assert sorted(of_archive.values()) == sorted(of_folder.values()) and report.skipped == {}


def test_reading_goes_on_behind_any_document_of_a_tar_with_links(tmp_path):
    path = tar(tmp_path / "a.tar", ("b.py", tarfile.SYMTYPE, "a.txt"), ("a.txt", TEXT),
               ("c.py", OTHER), ("d.py", tarfile.LNKTYPE, "c.py"), ("e.py", tarfile.SYMTYPE, "no"))
    files = FileList.find([path], suffixes=[".py"])
    whole = list(iter_documents(files, report=CorpusReport()))
    assert [document.name[-4:] for document in whole] == ["c.py", "b.py", "d.py"]
    for i, document in enumerate(whole):
        rest = iter_documents(files, start=document.position, report=CorpusReport())
        assert list(rest) == whole[i + 1 :]


def test_members_are_read_by_their_names(tmp_path):
    lines = "".join(json.dumps({"text": f"record {i} of it"}) + "\n" for i in range(3)).encode()
    table = io.BytesIO()
    pq.write_table(pa.table({"text": ["row of parquet"]}), table)
    members = [("a.jsonl", lines), ("b.jsonl.gz", gzip.compress(lines)),
               ("c.parquet", table.getvalue()), ("d.py", b"\xef\xbb\xbf" + TEXT),
               ("e.py.gz", gzip.compress(OTHER)), ("f.jsonl.gz", gzip.compress(lines)[:30]),
               ("G.PY", OTHER)]
    expected = {f"{name}:{i}": f"record {i - 1} of it"
                for name in ("a.jsonl", "b.jsonl.gz") for i in (1, 2, 3)}
    expected |= {"c.parquet:1": "row of parquet", "d.py": TEXT.decode(), "e.py.gz": OTHER.decode(),
                 "G.PY": OTHER.decode()}
    for path in (tar(tmp_path / "a.tar", *members), zipped(tmp_path / "a.zip", *members)):
        documents, report = read(path)
        assert documents == expected and report.skipped == {"unreadable": 1}


class Zeros(io.RawIOBase):
    def read(self, size=-1):
        return bytes(size)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip", "a.py.gz"])
def test_what_unpacks_to_much_takes_no_memory(tmp_path, name):
    path, size = tmp_path / name, 1 << 26
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("a.py", "w") as member:
                for _ in range(size >> 20):
                    member.write(b"a" * (1 << 20))
            archive.writestr("b.py", OTHER)
    elif ".tar" in name:
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("a.py")
            member.size = size
            archive.addfile(member, Zeros())
            member = tarfile.TarInfo("b.py")
            member.size = len(OTHER)
            archive.addfile(member, io.BytesIO(OTHER))
    else:
        path.write_bytes(gzip.compress(b"a" * size))
    tracemalloc.start()
    try:
        documents, report = read(path, max_document_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()
    assert list(documents.values()) == ([OTHER.decode()] if "tar" in name or "zip" in name else [])
    assert report.skipped == {"longer than --max_document_bytes": 1}


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_name_cannot_take_memory(tmp_path, kind):
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = kind, 1 << 30
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    tracemalloc.start()
    try:
        documents, report = read(tmp_path / "a.tar")
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert documents == {} and report.skipped == {"unreadable": 1}
