"""Every way in gives the same documents, byte for byte, and everything left out is counted."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from data_tools import default_corpus
from data_tools.corpus import CorpusReport, iter_documents
from data_tools.corpus_sources import find_files


def read(*paths, **options):
    report = CorpusReport()
    return list(iter_documents(paths, report=report, **options)), report


def texts(*paths, **options):
    return [document.text for document in read(*paths, **options)[0]]


def write_json_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"    indented first line\n",
        b"no newline at the end",
        b"windows\r\nline ends\r\n and a lone \r",
        "\ufeffbyte order mark kept\n".encode(),
        "form feed \x0c, \u2028, \u0085 and \u00e9 \U0001f642\n\n\n".encode(),
    ],
)
def test_bytes_in_are_bytes_out(tmp_path, content):
    (tmp_path / "a.py").write_bytes(content)
    documents, report = read(tmp_path)
    assert [document.text.encode() for document in documents] == [content]
    assert report.utf8_bytes == len(content)


def test_skipped_files_are_counted_by_reason_with_examples(source_tree):
    documents, report = read(source_tree)
    assert len(documents) == report.documents == 20
    assert report.skipped == {"not UTF-8": 1, "binary": 1, "too short": 2}
    assert report.examples["binary"] == [str(source_tree / "binary.py")]
    assert any("latin.py" in line for line in report.skipped_lines())


def test_minimum_length_counts_characters_and_includes_the_bound(tmp_path):
    (tmp_path / "a.py").write_text("\u00e9" * 9)
    (tmp_path / "b.py").write_text("\u00e9" * 10)
    assert texts(tmp_path) == ["\u00e9" * 10]
    assert len(texts(tmp_path, min_doc_length=0)) == 2


def test_folders_are_sorted_and_filtered_by_suffix(source_tree):
    names = [Path(document.name).name for document in read(source_tree)[0]]
    assert names == [f"module_{i:02}.py" for i in [*range(0, 20, 2), *range(1, 20, 2)]]
    assert texts(source_tree, suffixes=[".txt"]) == ["not source code, so not taken"]


def test_a_file_named_outright_needs_no_suffix(source_tree):
    assert texts(source_tree / "notes.txt") == ["not source code, so not taken"]


def test_overlapping_inputs_are_read_once(source_tree):
    again = source_tree / "app" / "module_00.py"
    os.symlink(again, source_tree / "link.py")
    assert len(texts(source_tree, source_tree / "lib", again)) == 20


def test_links_that_loop_or_dangle_do_no_harm(source_tree):
    os.symlink(source_tree, source_tree / "lib" / "loop")
    os.symlink(source_tree / "gone", source_tree / "dangling.py")
    os.mkfifo(source_tree / "pipe.py")
    documents, report = read(source_tree)
    assert len(documents) == 20
    assert report.skipped["unreadable"] == 1


def test_shuffling_permutes_files_by_seed_alone(source_tree, tmp_path):
    moved = tmp_path / "elsewhere" / "src"
    shutil.copytree(source_tree, moved)
    plain, first = texts(source_tree), texts(source_tree, shuffle_seed=7)
    assert first != plain and sorted(first) == sorted(plain)
    assert first == texts(moved, shuffle_seed=7)
    assert first != texts(source_tree, shuffle_seed=8)


def test_a_stream_keeps_its_own_order_when_files_are_shuffled(tmp_path):
    records = [f"record number {i:03}" for i in range(50)]
    path = write_json_lines(tmp_path / "a.jsonl", [{"text": text} for text in records])
    assert texts(path, shuffle_seed=1) == records


@pytest.mark.parametrize(
    ("mode", "separator", "expected"),
    [
        ("file", None, ["a = 1\n  \n\n    b = 2\n# ---\nc = 3\n\n"]),
        ("blank_line", None, ["a = 1\n", "    b = 2\n# ---\nc = 3\n"]),
        ("separator", "# ---", ["a = 1\n  \n\n    b = 2\n", "c = 3\n\n"]),
    ],
)
def test_document_modes(tmp_path, mode, separator, expected):
    (tmp_path / "a.py").write_bytes(b"a = 1\n  \n\n    b = 2\n# ---\nc = 3\n\n")
    options = {"doc_mode": mode, "separator": separator, "min_doc_length": 1}
    assert texts(tmp_path, **options) == expected
    (tmp_path / "a.py").write_bytes(b"a = 1\r\n  \r\n\r\n    b = 2\r\n# ---\r\nc = 3\r\n\r\n")
    assert texts(tmp_path, **options) == [text.replace("\n", "\r\n") for text in expected]


def test_cutting_loses_only_the_dividing_lines(tmp_path):
    draw = random.Random(0)
    for _ in range(200):
        lines = [draw.choice(["x\n", " y\n", "\n", " \t\n", "---\n", "z\r\n"]) for _ in range(20)]
        (tmp_path / "a.py").write_bytes("".join(lines).encode())
        kept = "".join(line for line in lines if line.strip())
        assert "".join(texts(tmp_path, doc_mode="blank_line", min_doc_length=0)) == kept


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".zip"])
def test_archives_hold_what_the_folder_holds(source_tree, tmp_path, ending):
    archive = tmp_path / f"code{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in find_files([source_tree], [".py", ".txt"]):
                file.write(path)
    else:
        with tarfile.open(archive, "w:gz" if "gz" in ending else "w") as file:
            file.add(source_tree, "src")
    documents, report = read(archive)
    expected, expected_report = read(source_tree)
    assert sorted(d.text for d in documents) == sorted(d.text for d in expected)
    assert report.skipped == expected_report.skipped
    assert documents[0].name.startswith(f"{archive}:")


def test_a_broken_archive_is_reported_and_the_rest_still_read(source_tree, tmp_path):
    archive = tmp_path / "cut.tar.gz"
    draw = random.Random(0)
    with tarfile.open(archive, "w:gz") as file:
        for i in range(4):
            data = draw.randbytes(40_000).hex().encode()
            member = tarfile.TarInfo(f"{i}.py")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    (tmp_path / "no.zip").write_bytes(b"this is no archive")
    documents, report = read(archive, tmp_path / "no.zip", source_tree)
    assert 21 <= len(documents) <= 22
    assert report.examples["unreadable"] == [str(archive), str(tmp_path / "no.zip")]


def test_json_lines_skip_what_is_no_record(tmp_path):
    path = tmp_path / "a.jsonl"
    good = "  kept as it is, \u00e9 \U0001f642 \n"
    path.write_bytes(
        b"\n".join(
            [
                json.dumps({"code": good, "text": "another key"}).encode(),
                b"",
                b"{broken",
                b'["a list"]',
                b'{"code": 5}',
                b'{"other": "no such key"}',
                b'{"code": "half a surrogate pair \\ud800"}',
                b'{"code": "latin \xe9 is not UTF-8"}',
                b'{"code": "a NUL \\u0000 inside"}',
                b"[" * 100_000,
            ]
        )
    )
    documents, report = read(path, json_key="code")
    assert [(d.text, d.name) for d in documents] == [(good, f"{path}:1")]
    assert report.skipped == {"bad JSON line": 5, "not UTF-8": 2, "binary": 1}


def test_compressed_json_lines(tmp_path):
    plain = write_json_lines(tmp_path / "a.jsonl", [{"text": f"record {i:04}"} for i in range(999)])
    packed = tmp_path / "b.jsonl.zst"
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    assert texts(packed) == texts(plain) and len(texts(packed)) == 999
    packed.write_bytes(b"this is not compressed")
    assert read(packed)[1].skipped == {"unreadable": 1}


def test_missing_zstandard_names_the_package(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl.zst").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ValueError, match="pip install zstandard"):
        read(tmp_path / "a.jsonl.zst")


def test_bad_arguments_die_before_reading(source_tree):
    for options, message in [
        ({"doc_mode": "page"}, "doc_mode is one of"),
        ({"doc_mode": "separator"}, "go together"),
        ({"separator": "---"}, "go together"),
        ({"doc_mode": "separator", "separator": "-\n"}, "without its line end"),
    ]:
        with pytest.raises(ValueError, match=message):
            iter_documents([source_tree], report=CorpusReport(), **options)
    with pytest.raises(ValueError, match="does not exist"):
        iter_documents([source_tree / "gone"], report=CorpusReport())


def test_default_corpus_is_the_standard_library_without_packages():
    roots = default_corpus.default_corpus_paths()
    files = find_files(roots, [".py", ".h"], default_corpus.EXCLUDED_DIRS)
    assert str((roots[0] / "os.py").resolve()) in files
    library = [path for path in files if path.startswith(str(roots[0].resolve()))]
    assert len(library) > 500 and not any("-packages" in path for path in library)


def test_default_corpus_does_not_import_paddle():
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from data_tools.default_corpus import default_corpus_paths as paths\n"
        "paths(); sys.exit('paddle' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_default_corpus_without_paddle_warns(monkeypatch):
    monkeypatch.setattr(default_corpus.importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="standard library alone"):
        assert len(default_corpus.default_corpus_paths()) == 1
