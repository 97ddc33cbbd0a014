"""Files and folders replace earlier ones only when they are complete."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_tools import files
from data_tools.files import target_of, temporary_folder, whole_file, whole_files, whole_folder

REPO = Path(__file__).parents[2]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def calls(monkeypatch):
    """Records, in order, which files are synced and which are renamed."""
    seen, (fsync, replace, rename) = [], (os.fsync, os.replace, os.rename)

    def told(kind, path):
        seen.append((kind, target_of(os.path.basename(path)) or os.path.basename(path)))

    monkeypatch.setattr(os, "fsync", lambda number: (
        told("sync", os.readlink(f"/proc/self/fd/{number}")), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda old, new: (told("name", new), replace(old, new)))
    monkeypatch.setattr(os, "rename", lambda old, new: (told("name", new), rename(old, new)))
    return seen


def test_a_file_takes_its_place_once_it_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with whole_file(path) as file:
        file.write(b"new")
        (temporary,) = set(names(tmp_path)) - {"x.txt"}
        assert target_of(temporary) == "x.txt" and path.read_text() == "old"
    assert path.read_text() == "new" and names(tmp_path) == ["x.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as file:
        file.write(b"new")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["x.txt"]


def test_a_disk_that_takes_no_bytes_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), whole_file(path) as file:
        file.write(b"new")
    assert path.read_text() == "old" and names(tmp_path) == ["x.txt"]


def test_a_file_is_synced_before_and_its_folder_after_the_rename(tmp_path, calls):
    with whole_file(tmp_path / "x") as file:
        file.write(b"1")
    assert calls == [("sync", "x"), ("name", "x"), ("sync", tmp_path.name)]


def test_several_files_take_their_places_together(tmp_path, calls):
    (tmp_path / "b").write_text("old")
    with pytest.raises(ValueError), whole_files(tmp_path / "a", tmp_path / "b") as (one, two):
        one.write(b"1")
        raise ValueError
    assert names(tmp_path) == ["b"] and (tmp_path / "b").read_text() == "old" and not calls
    with whole_files(tmp_path / "b", tmp_path / "a") as (one, two):
        one.write(b"1")
        two.write(b"2")
    assert calls == [("sync", "b"), ("sync", "a"), ("name", "b"), ("name", "a"),
                     ("sync", tmp_path.name)]
    assert [(tmp_path / name).read_text() for name in "ba"] == ["1", "2"]


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "gone" / "x"):
        pass


def test_a_link_is_replaced_unless_the_caller_follows_it(tmp_path):
    (tmp_path / "target").write_text("old")
    for name in ("one", "two"):
        (tmp_path / name).symlink_to("target")
    with whole_file(tmp_path / "one") as file:
        file.write(b"1")
    assert not (tmp_path / "one").is_symlink() and (tmp_path / "target").read_text() == "old"
    with whole_file(os.path.realpath(tmp_path / "two")) as file:
        file.write(b"2")
    assert (tmp_path / "two").is_symlink() and (tmp_path / "target").read_text() == "2"


def test_a_folder_is_replaced_as_a_whole(tmp_path, calls):
    with whole_folder(tmp_path / "deep" / "x") as folder:
        (folder / "stale").write_text("old")
    calls.clear()
    with whole_folder(tmp_path / "deep" / "x") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text("new")
        assert names(tmp_path / "deep" / "x") == ["stale"]
    assert names(tmp_path / "deep") == ["x"] and names(tmp_path / "deep" / "x") == ["inner"]
    assert (tmp_path / "deep" / "x" / "inner" / "file").read_text() == "new"
    assert calls == [("sync", "inner"), ("sync", "file"), ("sync", "x"), ("name", "x"),
                     ("name", "x"), ("sync", "deep")]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_folder_and_no_temporary(tmp_path, error):
    with whole_folder(tmp_path / "x") as folder:
        (folder / "file").write_text("old")
    with pytest.raises(error), whole_folder(tmp_path / "x") as folder:
        (folder / "file").write_text("new")
        raise error
    assert names(tmp_path) == ["x"] and (tmp_path / "x" / "file").read_text() == "old"


def test_a_folder_that_cannot_take_its_place_gives_it_back(tmp_path, monkeypatch):
    with whole_folder(tmp_path / "x") as folder:
        (folder / "file").write_text("old")
    rename, renames = os.rename, []

    def second_fails(old, new):
        renames.append(new)
        if len(renames) == 2:
            raise OSError(5, "Input/output error")
        rename(old, new)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output"), whole_folder(tmp_path / "x") as folder:
        (folder / "file").write_text("new")
    assert names(tmp_path) == ["x"] and (tmp_path / "x" / "file").read_text() == "old"


def test_a_link_to_a_folder_is_replaced_and_the_folder_stays(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "x").symlink_to("target")
    with whole_folder(tmp_path / "x"):
        pass
    assert names(tmp_path) == ["target", "x"] and not (tmp_path / "x").is_symlink()


KILLED = """
import os, signal, sys
from data_tools.files import whole_file, whole_folder
with whole_file(sys.argv[1] + "/x") as file, whole_folder(sys.argv[1] + "/y") as folder:
    file.write(b"half")
    (folder / "file").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=REPO, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert sorted(map(target_of, names(tmp_path))) == ["x", "y"]
    (tmp_path / ".y.0123abcd.old").mkdir()
    (tmp_path / ".xy.0123abcd.tmp").touch()  # another file's
    with whole_file(tmp_path / "x"), whole_folder(tmp_path / "y"):
        pass
    assert names(tmp_path) == [".xy.0123abcd.tmp", "x", "y"]


def test_what_another_process_is_writing_stays(tmp_path):
    with whole_file(tmp_path / "x") as first, temporary_folder(tmp_path / "y") as other:
        (other / "file").touch()
        with whole_file(tmp_path / "x") as second, whole_folder(tmp_path / "y"):
            second.write(b"2")
        assert names(other) == ["file"] and (tmp_path / "x").read_text() == "2"
        first.write(b"1")
    assert names(tmp_path) == ["x", "y"] and (tmp_path / "x").read_text() == "1"


def test_a_file_system_without_locks_takes_files_all_the_same(tmp_path, monkeypatch):
    def none(descriptor, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(files.fcntl, "flock", none)
    (tmp_path / ".x.0123abcd.tmp").touch()
    with whole_file(tmp_path / "x"), whole_folder(tmp_path / "y"):
        pass
    assert names(tmp_path) == [".x.0123abcd.tmp", "x", "y"]


@pytest.mark.parametrize(("name", "target"), [
    (".x.0123abcd.tmp", "x"), (".a.b_idx.npz.ffffffff.old", "a.b_idx.npz"),
    ("x.0123abcd.tmp", None),
    (".x.0123abc.tmp", None), (".x.tmp", None), (".0123abcd.tmp", None),
])
def test_temporaries_are_known_by_their_names(name, target):
    assert target_of(name) == target
