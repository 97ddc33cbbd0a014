"""The list of all input files: each once, in a fixed order, and kept on disk, not in memory."""

import hashlib
import os
import random
import shutil
import tracemalloc

import pytest

from data_tools.reading import file_list, tree_walk
from data_tools.reading.file_list import FileList
from data_tools.reading.tree_walk import Found


def make(root, *paths):
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x" * number)
    return root


def found(root, *more, suffixes=(".py",), **options):
    """The paths found, relative to root where they are inside of it."""
    files = FileList.find([root, *more], suffixes=suffixes, **options)
    return [path.removeprefix(f"{root}/") for path in files]


TREE = ("b.py", "a/z.py", "a.py", "a/a/deep.py", "a-b/x.py", "B.py", "a/notes.txt", "c/x.PY")
SORTED = ["B.py", "a.py", "b.py", "a/z.py", "a/a/deep.py", "a-b/x.py", "c/x.PY"]


def test_a_folder_gives_its_files_and_then_its_folders_each_sorted(tmp_path):
    assert found(make(tmp_path, *TREE)) == SORTED


def test_names_beyond_memory_are_sorted_alike(tmp_path, monkeypatch):
    names = [*TREE, "new\nline.py", "é.py", "zz/1.py", "zz/2.py", os.fsdecode(b"\xff.py")]
    root = make(tmp_path, *names)
    plain = found(root)
    monkeypatch.setattr(tree_walk, "NAMES_IN_MEMORY", 2)
    assert found(root) == plain and len(plain) == 12


def test_sizes_and_paths_of_any_length(tmp_path):
    deep = "/".join(["folder_" + "x" * 90] * 8) + "/deep.py"
    files = FileList.find([make(tmp_path, "b.py", "c.py", deep)], suffixes=[".py"])
    assert [files.size(i) for i in range(3)] == [0, 1, 2] and files.total_bytes == 3
    assert files[2] == f"{tmp_path}/{deep}" and len(files) == 3
    with pytest.raises(IndexError):
        files[3]


def test_shuffling_is_by_seed_alone_and_can_be_taken_back(tmp_path):
    root = make(tmp_path / "one", *(f"{i:02}.py" for i in range(30)))
    shutil.copytree(root, tmp_path / "two" / "one")
    files, moved = (FileList.find([r], suffixes=[".py"]) for r in (root, tmp_path / "two" / "one"))
    plain = list(files)
    draw = random.Random(7).random
    files.order(7)
    assert list(files) == sorted(plain, key=lambda _: draw())
    moved.order(3)
    moved.order(7)
    assert [os.path.basename(p) for p in moved] == [os.path.basename(p) for p in files]
    assert [moved.size(i) for i in range(30)] == [files.size(i) for i in range(30)]
    files.order(8)
    assert list(files) != plain
    files.order(None)
    assert list(files) == plain


def test_the_digest_is_of_names_and_sizes_in_order_wherever_they_lie(tmp_path):
    one, two = (make(tmp_path / name, "a.py", "b/c.py") for name in ("one", "two"))
    first, second = (FileList.find([root], suffixes=[".py"]) for root in (one, two))
    expected = hashlib.sha256(b"a.py\x000\nb/c.py\x001\n").hexdigest()
    assert first.digest == second.digest == expected
    (two / "b" / "c.py").write_text("longer")
    assert FileList.find([two], suffixes=[".py"]).digest != expected
    orders = set()
    for seed in range(6):
        first.order(seed)
        orders.add((tuple(first), first.digest))
    assert len(orders) == 2


def test_blocks_are_the_whole_list_and_know_its_digest(tmp_path):
    files = FileList.find([make(tmp_path, *(f"{i}.py" for i in range(7)))], suffixes=[".py"])
    files.order(1)
    blocks = [files.block(i, 3) for i in range(3)]
    assert [path for block in blocks for path in block] == list(files)
    assert [len(block) for block in blocks] == [2, 2, 3]
    assert sum(block.total_bytes for block in blocks) == files.total_bytes
    assert {block.whole_digest for block in blocks} == {files.digest} == {files.whole_digest}
    assert len({block.digest for block in blocks}) == 3
    assert len(files.block(8, 9)) == 1 and len(files.block(0, 9)) == 0
    for index, count in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ValueError, match="parts are counted from 0"):
            files.block(index, count)


def test_what_is_met_twice_is_taken_once_where_it_came_first(tmp_path):
    root = make(tmp_path / "in", *TREE)
    os.symlink(root / "a" / "z.py", root / "0.py")
    os.symlink(root, tmp_path / "again")
    assert found(root, tmp_path / "again", root / "b.py", root / "a", root) == [
        "0.py", *(name for name in SORTED if name != "a/z.py")
    ]
    assert found(root / "a", root) == [
        "z.py", "a/deep.py", *(f"{root}/{n}" for n in ("B.py", "a.py", "b.py", "a-b/x.py",
                                                       "c/x.PY"))
    ]


def test_equal_hashes_lose_no_file(tmp_path, monkeypatch):
    root = make(tmp_path, *TREE)
    monkeypatch.setattr(file_list, "_hash", lambda path: len(path) % 2)
    monkeypatch.setattr(file_list, "_SLICE", 3)
    assert found(root, root / "a.py") == SORTED


def test_links_that_loop_or_dangle_do_no_harm(tmp_path):
    root = make(tmp_path / "in", "a.py", "b/c.py")
    os.symlink(root, root / "b" / "loop.py")
    os.symlink(root / "gone", root / "dangling.py")
    os.symlink("itself.py", root / "itself.py")
    os.mkfifo(root / "pipe.py")
    assert found(root) == ["a.py", "dangling.py", "itself.py", "b/c.py"]


def test_a_link_is_read_under_its_own_name(tmp_path):
    blob = make(tmp_path, "blobs/0123abcd") / "blobs" / "0123abcd"
    (tmp_path / "snapshot").mkdir()
    os.symlink(blob, tmp_path / "snapshot" / "train.jsonl")
    assert found(tmp_path / "snapshot", suffixes=[".jsonl"]) == ["train.jsonl"]
    assert found(tmp_path / "snapshot" / "train.jsonl") == [f"{tmp_path}/snapshot/train.jsonl"]


def test_an_unreadable_folder_stays_in_the_list(tmp_path, monkeypatch):
    root = make(tmp_path, "a/x.py", "b.py", "c/y.py")
    scandir = os.scandir

    def refuse(folder):
        if folder == f"{root}/a":
            raise PermissionError(folder)
        return scandir(folder)

    monkeypatch.setattr(tree_walk.os, "scandir", refuse)
    assert found(root) == ["b.py", "c/y.py", "a"]
    assert found(root, exclude=["a/**"]) == ["b.py", "c/y.py"]


def test_globs_and_folder_names_choose_the_files(tmp_path):
    root = make(tmp_path, "setup.py", "src/a.py", "src/test/t.py", "test/t.py", "old/src/b.py",
                "src/a.txt")
    assert found(root, include=["**/src/**"]) == ["old/src/b.py", "src/a.py", "src/test/t.py"]
    assert found(root, exclude=["**/test/*", "*.py"]) == ["old/src/b.py", "src/a.py"]
    assert found(root, include=["src/**", "setup.py"], exclude=["**/t.py"]) == ["setup.py",
                                                                             "src/a.py"]
    assert found(root, exclude_dirs=["test", "old"]) == ["setup.py", "src/a.py"]
    named = found(root, root / "test" / "t.py", root / "src/a.txt", include=["x"], exclude=["**"])
    assert named == ["test/t.py", "src/a.txt"]


def test_members_are_chosen_as_files_are(tmp_path):
    files = FileList.find([tmp_path], suffixes=[".py"], include=["src/**"], exclude=["**/t.py"])
    taken = [m for m in ("src/a.py", "src/A.PY", "src/t.py", "a.py", "src/a.c") if files.takes(m)]
    assert taken == ["src/a.py", "src/A.PY"]


def test_inputs_that_cannot_be_read_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="gone' does not exist"):
        found(tmp_path, tmp_path / "gone")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        found(tmp_path, tmp_path / "pipe")


def test_memory_is_a_few_bytes_a_file(monkeypatch):
    count = 40_000
    many = (Found(f"/corpus/project/src/{i}.py", f"src/{i}.py", i, f"/real/{i}")
            for i in range(count))
    monkeypatch.setattr(file_list, "_all_inputs", lambda paths, choice: many)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        files = FileList.find([], suffixes=[".py"])
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    buffer = 1 << 20
    assert len(files) == count and files[count - 1] == "/corpus/project/src/39999.py"
    assert now - before - buffer < 20 * count and peak - before - buffer < 34 * count


def test_what_a_run_writes_is_not_its_input(tmp_path):
    own = ["x_tokenizer/a.py", "x_partial/a.py", ".x.0123abcd.tmp/a.py",
           ".x-00001-of-00002.0123abcd.tmp/a.py", "x-00000-of-00002_partial/a.py"]
    others = [".y.0123abcd.tmp/a.py", ".x.tmp/a.py", "x_other/a.py", "y_partial/a.py"]
    root = make(tmp_path, *own, *others)
    files = FileList.find([str(root)], suffixes=[".py"], outputs=str(tmp_path / "x"))
    assert [os.path.relpath(path, root) for path in files] == sorted(others)
